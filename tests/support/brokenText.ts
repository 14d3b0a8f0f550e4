// A log as somebody else may have written it: text that PostgreSQL cannot hold in every field.
import { randomUUID } from 'node:crypto'
import type { TSchema } from 'typebox'
import type { Config } from '../../src/config/config.ts'
import { cart } from '../../src/domain/cart/cart.ts'
import { category } from '../../src/domain/catalogue/category.ts'
import { categoryName } from '../../src/domain/catalogue/categoryName.ts'
import { product } from '../../src/domain/catalogue/product.ts'
import { skuClaim } from '../../src/domain/catalogue/skuClaim.ts'
import { customer } from '../../src/domain/customer/customer.ts'
import type { Aggregate, DomainEvent } from '../../src/domain/kernel/aggregate.ts'
import { erasedText } from '../../src/domain/kernel/types.ts'
import { ledgerImport } from '../../src/domain/ledger/ledgerImport.ts'
import { creditNote } from '../../src/domain/order/creditNote.ts'
import { openOrders } from '../../src/domain/order/openOrders.ts'
import { order } from '../../src/domain/order/order.ts'
import { OrderEvents } from '../../src/domain/order/orderEvents.ts'
import { orderNumbers } from '../../src/domain/order/orderNumbers.ts'
import { stock } from '../../src/domain/stock/stock.ts'
import { createSeals, type PersonKeys } from '../../src/infra/crypto/personKeys.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import type { AppServices } from '../../src/main/openServices.ts'
import type { JsonObject, NewEvent } from '../../src/ports/eventStore.ts'
import { exampleOf } from './arbitrary.ts'

/** NUL, each half of a surrogate pair alone and the wrong way round, and what is no fault. */
export const brokenText = 'a\0b\uD800c\uDC00d\uDE00\uD83De \u{1F56F} \\u0000 \t"'
/** That as PostgreSQL holds it. */
export const shownText = 'a\uFFFDb\uFFFDc\uFFFDd\uFFFD\uFFFDe \u{1F56F} \\u0000 \t"'

type Kind = Pick<Aggregate<never, DomainEvent>, 'category' | 'events'>

export const aggregates: readonly Kind[] = [
  product,
  category,
  categoryName,
  customer,
  stock,
  cart,
  order,
  creditNote,
  ledgerImport,
  openOrders,
  orderNumbers,
  skuClaim,
]

interface Shape {
  type?: string
  properties?: Readonly<Record<string, Shape>>
  items?: Shape
  anyOf?: readonly Shape[]
  pattern?: string
  enum?: readonly unknown[]
  maxLength?: number
}

/** The same value, with broken text wherever the schema says no more than that it is text. */
function broken(value: unknown, schema: Shape): unknown {
  const option = schema.anyOf?.[0] ?? schema
  if (typeof value === 'string') {
    const isFree = option.type === 'string' && option.pattern === undefined && !option.enum
    return isFree ? brokenText.slice(0, option.maxLength) : value
  }
  if (Array.isArray(value)) return value.map(each => broken(each, option.items ?? {}))
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, inner]): [string, unknown] => [
    name,
    broken(inner, option.properties?.[name] ?? {}),
  ])
  return Object.fromEntries(fields)
}

/** The id that an example begins with: that of what it is about. */
function idOf(schema: TSchema | undefined): string {
  const [id] = Object.values(schema === undefined ? {} : exampleOf(schema))
  return /^[0-9a-f-]{36}$/.test(String(id)) ? String(id) : '01980000-0000-7000-8000-00000000abcd'
}

/** As an older release wrote it, which did not look at text: what is sealed is broken, too. */
async function brokenEvent(seals: PersonKeys, encoded: NewEvent, schema: TSchema) {
  const data: JsonObject = { ...encoded.data }
  for (const [name, value] of Object.entries(Object(broken(encoded.data, schema)))) {
    data[name] = JSON.stringify(data[name]).includes(erasedText) ? data[name] : value
  }
  const { sealed, subject: owner } = encoded.metadata
  const subject = String(owner ?? data[String(Reflect.get(schema, 'subject'))])
  const clear = sealed === undefined ? undefined : await seals.open(subject, String(sealed))
  if (clear === undefined) return { ...encoded, data }
  const personal = Object.keys(JSON.parse(clear)).map(path => [path, brokenText.slice(0, 10)])
  const text = await seals.seal(subject, JSON.stringify(Object.fromEntries(personal)))
  return { ...encoded, data, metadata: { ...encoded.metadata, sealed: text } }
}

/** Appends one event of every type, in streams of their aggregates; gives the names of these. */
export async function appendBrokenLog(
  { eventStore, codec, pool }: AppServices,
  { secretKey }: Config,
): Promise<string[]> {
  const seals = createSeals(pool, createSecrets(secretKey))
  const streams: string[] = []
  for (const { category: kind, events } of aggregates) {
    const stream = `${kind}-${idOf(Object.values(events)[0])}`
    streams.push(stream)
    for (const [type, schema] of Object.entries(events)) {
      const example = exampleOf(schema)
      // Somebody else, so that what is about this customer can still be read.
      const isErasure = type === 'CustomerErased'
      const data = isErasure ? { ...example, customerId: randomUUID() } : example
      const event = await codec.encode(
        { type, data },
        randomUUID(),
        {
          commandId: randomUUID(),
          correlationId: brokenText,
          causationId: brokenText,
          actor: { role: 'system', id: brokenText },
          at: new Date(),
        },
        String(Reflect.get(exampleOf(OrderEvents.OrderSubmitted), 'customerId')),
      )
      await eventStore.append(stream, 'any', [await brokenEvent(seals, event, schema)])
    }
  }
  return streams
}
