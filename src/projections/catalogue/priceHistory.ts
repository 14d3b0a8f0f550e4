// Every price that a product has had: shoppers have to be told what a reduction is worth.
import type { Kysely } from 'kysely'
import type { EventOf } from '../core/events.ts'
import { defineProjection } from '../core/projection.ts'
import { appendedModel } from '../core/readModel.ts'
import { bigint, position, type RowOf, type SelectedOf, text, time, uuid } from '../core/table.ts'
import type { Tables } from '../core/tables.ts'
import { nameOf } from '../stock/stock.ts'

type Db = Kysely<Tables>
type ChangeRecord = SelectedOf<typeof changes>

const changes = {
  name: 'price_changes',
  columns: {
    position,
    product_id: uuid,
    price_minor: bigint,
    currency: text,
    actor: text,
    at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    price_changes: ChangeRecord
  }
}

const model = appendedModel(changes, { ProductCreated: changeOf, PriceChanged: changeOf })

export const priceHistory = defineProjection({ name: 'priceHistory', version: 1, models: [model] })

function changeOf(event: EventOf<'ProductCreated' | 'PriceChanged'>): RowOf<typeof changes> {
  const { productId, price } = event.data
  return {
    position: String(event.position),
    product_id: productId,
    price_minor: price.amount,
    currency: price.currency,
    actor: nameOf(event.actor),
    at: event.at,
  }
}

const changesMax = 1_000
const comparedMs = 30 * 24 * 3_600_000

/**
 * The price of a product, its newest changes, and where the last of them was a reduction, the
 * lowest price of the 30 days before it (Directive 98/6/EC, article 6a; each step of a reduction
 * counts as one). Undefined when there is no such product.
 */
export async function findPrices(db: Db, productId: string) {
  const newest = await db
    .selectFrom('price_changes')
    .selectAll()
    .where('product_id', '=', productId)
    .orderBy('position', 'desc')
    .limit(changesMax)
    .execute()
  const [current, ...earlier] = newest
  if (current === undefined) return undefined
  const lowest = lowestBefore(current, earlier)
  return {
    price: moneyOf(current),
    since: current.at.toISOString(),
    ...(lowest === undefined ? {} : { lowestPriceIn30DaysBefore: moneyOf(lowest) }),
    changes: newest.map(row => ({
      position: String(row.position),
      price: moneyOf(row),
      actor: row.actor,
      at: row.at.toISOString(),
    })),
  }
}

/** Of the prices that applied within the time compared, the newest first. */
function lowestBefore(current: ChangeRecord, earlier: readonly ChangeRecord[]) {
  const [before] = earlier
  if (before === undefined || before.price_minor <= current.price_minor) return undefined
  const since = current.at.getTime() - comparedMs
  // A price that was set before that time still applied in it until the next one came.
  const applied = earlier.filter((_, index) => {
    const next = earlier[index - 1] ?? current
    return next.at.getTime() > since
  })
  return applied.reduce((low, row) => (row.price_minor < low.price_minor ? row : low), before)
}

function moneyOf({ price_minor: amount, currency }: ChangeRecord) {
  return { amount: Number(amount), currency }
}
