// The small parts that the shapes of answers are made of.
import Type from 'typebox'
import { orderStatuses } from '../../domain/order/orderStates.ts'

export const time = Type.String({ format: 'date-time', maxLength: 40 })
export const text = (maxLength = 10_000) => Type.String({ maxLength })
export const integer = Type.Integer({
  minimum: -9_007_199_254_740_991,
  maximum: 9_007_199_254_740_991,
})

/** Of things: none or more. */
export const count = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })
export const nullable = <Schema extends Type.TSchema>(schema: Schema) =>
  Type.Union([schema, Type.Null()])
export const many = <Schema extends Type.TSchema>(schema: Schema, maxItems = 10_000) =>
  Type.Array(schema, { maxItems })
export const Status = Type.Enum([...orderStatuses])
