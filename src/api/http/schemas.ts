// The shapes of answers, from which the OpenAPI document is made.
import Type from 'typebox'
import { code } from '../../domain/kernel/text.ts'
import { Id, Money, strict } from '../../domain/kernel/types.ts'
import { OrderLine } from '../../domain/order/order.ts'
import { integer, many, Status, text } from './shapes.ts'

export { count, integer, many, nullable, text, time } from './shapes.ts'

/** Tells positions from other digits: what has this description is one. */
export const positionText = 'A position in the log'
/** Up to 18 digits, which always fit a bigint of the database. */
export const Position = Type.String({
  pattern: '^\\d{1,18}$',
  maxLength: 18,
  description: positionText,
})

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
  502: problem('A provider answered something invalid'),
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
