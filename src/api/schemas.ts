// The shapes of answers, from which the OpenAPI document is made.
import Type from 'typebox'
import { Charge, OrderLine } from '../domain/order.ts'
import { orderStatuses } from '../domain/orderStates.ts'
import { code } from '../domain/text.ts'
import { Id, Money, Role, roles, strict } from '../domain/types.ts'
import { Dispute, Refund } from './paymentSchemas.ts'
import { integer, many, nullable, text, time } from './shapes.ts'

export { count, integer, many, nullable, text, time } from './shapes.ts'

/** Tells positions from other digits: what has this description is one. */
export const positionText = 'A position in the log'
/** Up to 18 digits, which always fit a bigint of the database. */
export const Position = Type.String({
  pattern: '^\\d{1,18}$',
  maxLength: 18,
  description: positionText,
})
export const Status = Type.Enum([...orderStatuses])

export const Problem = Type.Object(
  {
    type: text(200),
    title: text(200),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: text(1_000),
    requestId: text(100),
    /** The fields that are at fault. */
    errors: Type.Optional(
      Type.Array(
        Type.Object({ pointer: text(1_000), detail: text(1_000) }, { additionalProperties: true }),
        { maxItems: 100 },
      ),
    ),
  },
  { additionalProperties: true },
)

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
})

/** The refusals that every route may answer. */
export const problemResponses = {
  400: problem('Malformed request'),
  401: problem('Not signed in'),
  403: problem('Role missing'),
  404: problem('Not found, or not yours'),
  408: problem('The request did not arrive in time'),
  409: problem('The business says no'),
  410: problem('Gone for good'),
  412: problem('Changed since the revision of If-Match'),
  413: problem('Body too large'),
  415: problem('Not JSON'),
  422: problem('Idempotency key reused'),
  428: problem('If-Match missing'),
  429: problem('Too many requests: try again after Retry-After'),
  500: problem('Our fault'),
  503: problem('Busy: try again after Retry-After'),
}

/** An answer without a body. */
export const nothing = (description: string) => ({ description, type: 'null' })

/** What commands answer: what they were about, its revision, and where in the log they ended. */
export const AcceptedBody = Type.Object(
  {
    id: Id,
    revision: integer,
    position: Position,
    orderId: Type.Optional(Id),
    orderNumber: Type.Optional(text(40)),
    status: Type.Optional(Status),
    total: Type.Optional(Money),
    lines: Type.Optional(many(OrderLine)),
    refundId: Type.Optional(Id),
    refund: Type.Optional(
      Type.Object(
        {
          state: Type.Enum(['open', 'paid'], {
            description: '`open`: on its way, or waiting for somebody to pay it back by hand',
          }),
          byHand: Type.Boolean({
            description: 'Whether somebody has to pay it back, and to confirm that',
          }),
        },
        strict,
      ),
    ),
    /** What opens the cart of a guest again: told once, when the cart is made. */
    cartToken: Type.Optional(text(43)),
    /** Of a payment that is still open. */
    payment: Type.Optional(
      Type.Union([
        Type.Object({ status: Type.Literal('processing') }, strict),
        Type.Object(
          {
            status: Type.Literal('requires_action'),
            nextAction: Type.Object(
              {
                type: text(50),
                url: Type.Optional(text(2_000)),
                clientSecret: Type.Optional(text(500)),
              },
              strict,
            ),
          },
          strict,
        ),
      ]),
    ),
  },
  strict,
)

export const pagesMax = 10_000
// No defaults: tools send them all, and pages by number and by cursor exclude each other.
export const PageQuery = {
  page: Type.Optional(
    Type.Integer({ minimum: 1, maximum: pagesMax, description: 'Which page; 1 is the first' }),
  ),
  pageSize: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100, description: 'How many on a page; 10 by default' }),
  ),
  cursor: Type.Optional(code('^[\\w-]*$', 4_000, 'The nextCursor of the part before')),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100,
      description: 'How many after the cursor; 10 by default',
    }),
  ),
  minPosition: Type.Optional(Position),
}

/** What goes with a part of a list: pages by number are counted, the rest is not. */
export const partFields = {
  page: Type.Optional(integer),
  pageSize: Type.Optional(integer),
  total: Type.Optional(integer),
  totalIsAtLeast: Type.Optional(
    Type.Boolean({ description: 'There are more than this: they were not counted to the end' }),
  ),
  nextCursor: Type.Optional(text(4_000)),
}

/** A part of a list. */
export const pageOf = <Schema extends Type.TSchema>(schema: Schema) =>
  Type.Object({ data: many(schema, 100), ...partFields }, strict)

export const Availability = Type.Enum(['in', 'low', 'out'])

export const Cart = Type.Object(
  {
    id: Id,
    items: many(
      Type.Object(
        {
          productId: Id,
          sku: text(64),
          name: text(200),
          unitPrice: Money,
          quantity: integer,
          lineTotal: Money,
          currentPrice: Money,
          priceChanged: Type.Boolean(),
          availability: Availability,
        },
        strict,
      ),
    ),
    itemCount: integer,
    total: Money,
  },
  strict,
)
export const CartTotal = Type.Object({ total: Money, itemCount: integer }, strict)

const orderSummary = {
  id: Id,
  orderNumber: text(40),
  customerId: Id,
  status: Status,
  total: Money,
  itemCount: integer,
  expiresAt: nullable(time),
  placedAt: time,
  updatedAt: time,
  customerName: Type.Optional({
    ...nullable(text(300)),
    description: 'Who ordered; for the staff only, like the next two',
  }),
  customerEmail: Type.Optional(nullable(text(254))),
  recipient: Type.Optional({
    ...nullable(text(200)),
    description: 'What the delivery address begins with: a name, or a house and street',
  }),
}
export const OrderSummary = Type.Object(orderSummary, strict)
export const OrderDetail = Type.Object(
  {
    ...orderSummary,
    lines: many(OrderLine),
    charges: many(Charge),
    captured: Money,
    refunded: Money,
    paymentMethod: text(40),
    trackingNumber: nullable(text(200)),
    shippingAddress: nullable(text(1_000)),
    phoneNumber: nullable(text(40)),
    country: nullable(text(60)),
    timeline: many(
      Type.Object(
        {
          event: text(50),
          status: Status,
          at: time,
          by: Type.Enum(['anonymous', 'system', ...roles]),
        },
        strict,
      ),
    ),
    refunds: many(Refund),
    disputes: Type.Optional(many(Dispute)),
    allowedTransitions: many(Status),
  },
  strict,
)

export const OrderHistory = Type.Object(
  {
    data: many(
      Type.Object(
        {
          revision: integer,
          position: Position,
          event: text(50),
          sentence: text(1_000),
          at: time,
          by: text(100),
        },
        strict,
      ),
    ),
  },
  strict,
)

const User = Type.Object(
  {
    id: Id,
    username: text(150),
    email: nullable(text(254)),
    firstName: nullable(text(100)),
    lastName: nullable(text(100)),
    roles: many(Role, 10),
  },
  strict,
)
const TokenPair = Type.Object({ access: text(4_096), refresh: text(200) }, strict)
export const SignedIn = Type.Object(
  { user: User, tokens: TokenPair, position: Type.Optional(Position) },
  strict,
)

export const Profile = Type.Object(
  {
    id: Id,
    username: text(150),
    email: nullable(text(254)),
    /** Whether its owner has opened the link that was mailed to it. */
    emailConfirmed: Type.Boolean(),
    /** The address that takes its place once it is confirmed. */
    pendingEmail: nullable(text(254)),
    firstName: nullable(text(100)),
    lastName: nullable(text(100)),
    phoneNumber: nullable(text(40)),
    dateOfBirth: nullable(text(10)),
    address: nullable(text(500)),
    city: nullable(text(100)),
    postalCode: nullable(text(20)),
    country: nullable(text(60)),
    roles: many(Role, 10),
  },
  strict,
)
