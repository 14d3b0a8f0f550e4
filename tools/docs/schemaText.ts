// Schemas as text for a reader: Money, text (1–40), Id or null.
import type { TSchema } from 'typebox'
import {
  Currency,
  Id,
  Moment,
  Money,
  PositiveMoney,
  SignedMoney,
} from '../../src/domain/kernel/types.ts'
import { Charge, Delivery, OrderLine } from '../../src/domain/order/orderEvents.ts'

interface Shape {
  type?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Shape[]
  items?: Shape
  properties?: Record<string, Shape>
  required?: string[]
  personal?: boolean
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
}

const named = new Map<string, string>(
  Object.entries({ Id, Currency, Moment, Money, PositiveMoney, SignedMoney }).map(
    ([name, schema]) => [JSON.stringify(schema), name],
  ),
)
const composed = { OrderLine, Charge, Delivery }
for (const [name, schema] of Object.entries(composed)) named.set(JSON.stringify(schema), name)

const described: readonly (readonly [string, string])[] = [
  ['Id', 'a UUID in lower case; new ones are version 7'],
  ['Currency', 'an ISO 4217 code'],
  ['Moment', 'milliseconds since 1970, UTC'],
  ['Money', '`amount` in minor units (1299.99 GBP is 129999) and `currency`'],
  ['SignedMoney, PositiveMoney', 'Money that may be negative; Money above zero'],
]

/** The shapes that other texts name. */
export function shapesUsed(): (readonly [string, string])[] {
  const rows = Object.entries(composed).map(([name, schema]) => [name, inside(schema)] as const)
  return [...described, ...rows]
}

/** What a field holds. */
export function typeOf(schema: TSchema): string {
  return written(schema as Shape)
}

function written(shape: Shape): string {
  const name = named.get(JSON.stringify(shape))
  if (name !== undefined) return name
  if (shape.anyOf !== undefined) return shape.anyOf.map(written).join(' or ')
  if (shape.enum !== undefined) return shape.enum.join(', ')
  if (shape.const !== undefined) return `${shape.const}`
  if (shape.type === 'array') return `list of ${written(shape.items ?? {})}`
  if (shape.type === 'object') return `{ ${inside(shape)} }`
  if (shape.type === 'string') return `text${range(shape.minLength ?? 0, shape.maxLength)}`
  if (shape.type === 'integer') return `integer${range(shape.minimum, shape.maximum)}`
  return shape.type ?? 'anything'
}

function inside(schema: TSchema | Shape): string {
  const { properties = {}, required = [] } = schema as Shape
  const fields = Object.entries(properties).map(([name, field]) => {
    const shown = field.personal === true ? `**${name}**` : name
    return `${shown}${required.includes(name) ? '' : '?'}: ${written(field)}`
  })
  return fields.join(', ')
}

function range(from: number | undefined, to: number | undefined): string {
  if (from === undefined && to === undefined) return ''
  const [least, most] = [from, to].map(each => each?.toLocaleString('en-GB'))
  if (to === undefined || to > 1_000_000_000) return from === undefined ? '' : ` (from ${least})`
  return ` (${from === undefined ? 'up to ' : `${least}–`}${most})`
}
