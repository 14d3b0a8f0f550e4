// The words that every aggregate shares, each written once as a schema.
import Type, { type Static, type TProperties, type TSchemaOptions } from 'typebox'

/** For objects that have no fields but those that are named: others are refused, not ignored. */
export const strict = { additionalProperties: false } as const

/** UUIDs in lower case; new ones are version 7. */
export const Id = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  maxLength: 36,
  description: 'A UUID in lower case, such as 01980000-0000-7000-8000-000000000001',
})

/** An ISO 4217 code. */
export const Currency = Type.String({
  pattern: '^[A-Z]{3}$',
  maxLength: 3,
  description: 'An ISO 4217 code, such as GBP',
})

/** An amount in minor units that may be negative: a discount, a credit. */
export const SignedMoney = Type.Object(
  {
    amount: Type.Integer({ minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 }),
    currency: Currency,
  },
  strict,
)

/** An amount in minor units: 1299.99 GBP is 129999. */
export const Money = Type.Object(
  { amount: Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 }), currency: Currency },
  strict,
)
export type Money = Static<typeof Money>

/** An amount that is something: to pay back nothing is no refund. */
export const PositiveMoney = Type.Object(
  { amount: Type.Integer({ minimum: 1, maximum: 9_007_199_254_740_991 }), currency: Currency },
  strict,
)

/** The most pieces of one product that an order, a cart line or a movement can be about. */
export const quantityMax = 1_000_000
/** One unit is one sellable piece. */
export const Quantity = Type.Integer({ minimum: 1, maximum: quantityMax })
export const Sku = Type.String({ minLength: 1, maxLength: 64 })
export const ShortText = Type.String({ minLength: 1, maxLength: 200 })
export const LongText = Type.String({ maxLength: 10_000 })
/** A moment in milliseconds since 1970, UTC. */
export const Moment = Type.Integer({ minimum: 0, maximum: 253_402_300_799_999 })
export const Reason = Type.String({ minLength: 1, maxLength: 500 })

/** As events hold it; what callers send is a CountryCode of text.ts. Older events have names. */
export const Country = Type.String({ minLength: 1, maxLength: 60 })

/** What text about a person reads once that person has been erased. */
export const erasedText = '[erased]'

/**
 * Text about a person. In the log it is encrypted with that person's key, and reads as
 * `[erased]` once the key is gone.
 */
export function Personal(options: { minLength?: number; maxLength: number }) {
  return Type.String({ ...options, personal: true })
}

/** The person whom the stream of an event is about: the aggregate names them as its `owner`. */
export const ownerOfStream = '@owner'
/** The actor of an event: the personal text is about them. */
export const actorOfEvent = '@actor'

/**
 * The payload of an event. `subject` says whom its Personal fields are about: the name of the
 * field that holds their id, `ownerOfStream` or `actorOfEvent`. `version` counts the shapes that
 * this type has had. `erases` is the field with the id of the person whom such an event erases.
 */
export function Payload<Properties extends TProperties>(
  properties: Properties,
  options: { subject?: string; version?: number; erases?: string } = {},
) {
  const settings: TSchemaOptions = { ...strict, ...options }
  return Type.Object(properties, settings)
}

export const roles = ['customer', 'support', 'warehouse', 'auditor', 'admin'] as const
export const Role = Type.Enum([...roles])
export type Role = (typeof roles)[number]

/** Who gives a command. `system` is the application: workers, the importer, the command line. */
export type Actor =
  | { role: 'anonymous' }
  | { role: 'system'; id: string }
  | { role: Role; id: string; roles: readonly Role[] }
