// The shapes of responses, from which the OpenAPI document is made.
import Type from 'typebox'
import { code } from '../../domain/kernel/text.ts'
import { Id, Money, strict } from '../../domain/kernel/types.ts'
import { OrderLine } from '../../domain/order/order.ts'
import { orderStatuses } from '../../domain/order/orderStates.ts'

export const time = Type.String({ format: 'date-time', maxLength: 40 })
export const text = (maxLength = 10_000) => Type.String({ maxLength })
export const integer = Type.Integer({
  minimum: -9_007_199_254_740_991,
  maximum: 9_007_199_254_740_991,
})

/** A number of things. */
export const count = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })
export const nullable = <Schema extends Type.TSchema>(schema: Schema) =>
  Type.Union([schema, Type.Null()])
export const many = <Schema extends Type.TSchema>(schema: Schema, maxItems = 10_000) =>
  Type.Array(schema, { maxItems })
export const Status = Type.Enum([...orderStatuses])

/** Identifies the fields that are positions. */
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
    /** The invalid fields. */
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

/** The problems that every route may respond with. */
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

/** A response without a body. */
export const nothing = (description: string) => ({ description, type: 'null' })

/** The response of commands: the id of the aggregate, its revision and position. */
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
    /** The token of a guest's cart, returned once when the cart is created. */
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
// Without defaults: clients would send them, and page numbers and cursors exclude each other.
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

/** The fields of a page; the total is only counted with page numbers. */
export const partFields = {
  page: Type.Optional(integer),
  pageSize: Type.Optional(integer),
  total: Type.Optional(integer),
  totalIsAtLeast: Type.Optional(
    Type.Boolean({ description: 'There are more than this: they were not counted to the end' }),
  ),
  nextCursor: Type.Optional(text(4_000)),
}

/** A page of a list. */
export const pageOf = <Schema extends Type.TSchema>(schema: Schema) =>
  Type.Object({ data: many(schema, 100), ...partFields }, strict)
