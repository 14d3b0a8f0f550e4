// Every event of the shop, for those who read the whole log.

import { type CartEvent, cart } from './cart/cart.ts'
import { type CategoryEvent, category } from './catalogue/category.ts'
import { type CategoryNameEvent, categoryName } from './catalogue/categoryName.ts'
import { type ProductEvent, product } from './catalogue/product.ts'
import { type SkuClaimEvent, skuClaim } from './catalogue/skuClaim.ts'
import { type CustomerEvent, customer } from './customer/customer.ts'
import type { EventSchemas } from './kernel/aggregate.ts'
import { type LedgerImportEvent, ledgerImport } from './ledger/ledgerImport.ts'
import { type CreditNoteEvent, creditNote } from './order/creditNote.ts'
import { type OpenOrderEvent, openOrders } from './order/openOrders.ts'
import { type OrderEvent, order } from './order/order.ts'
import { type OrderNumberEvent, orderNumbers } from './order/orderNumbers.ts'
import { type StockEvent, stock } from './stock/stock.ts'

export type ShopEvent =
  | CartEvent
  | CategoryEvent
  | CategoryNameEvent
  | CreditNoteEvent
  | CustomerEvent
  | LedgerImportEvent
  | OpenOrderEvent
  | OrderEvent
  | OrderNumberEvent
  | ProductEvent
  | SkuClaimEvent
  | StockEvent

const aggregates: readonly { category: string; events: EventSchemas }[] = [
  cart,
  category,
  categoryName,
  creditNote,
  customer,
  ledgerImport,
  openOrders,
  order,
  orderNumbers,
  product,
  skuClaim,
  stock,
]

/** The kinds of streams of a shop: the name of each stream begins with one of them and a dash. */
export const categories: readonly string[] = aggregates.map(each => each.category)

/** What the names of the streams of a shop begin with. */
export const streamPrefixes: readonly string[] = categories.map(category => `${category}-`)

const typesByCategory = new Map(
  aggregates.map(each => [each.category, Object.keys(each.events)] as const),
)

/** The types of event in streams of a kind; none for a kind that is not known. */
export function eventTypesIn(category: string): readonly string[] {
  return typesByCategory.get(category) ?? []
}

/** The schema of every event type; the names are unique over all aggregates. */
export const eventSchemas: EventSchemas = {
  ...cart.events,
  ...category.events,
  ...categoryName.events,
  ...creditNote.events,
  ...customer.events,
  ...ledgerImport.events,
  ...openOrders.events,
  ...order.events,
  ...orderNumbers.events,
  ...product.events,
  ...skuClaim.events,
  ...stock.events,
}
