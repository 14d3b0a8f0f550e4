// What the log has of imports: documents that are in, and sales whose goods may still come back.

import { normalizeSku } from '../../../domain/catalogue/skuClaim.ts'
import { startOfLog } from '../../../kit/position.ts'
import type { Codec } from '../../../ports/codec.ts'
import type { EventStore } from '../../../ports/eventStore.ts'
import { importSource } from './importEnvelope.ts'
import { orderIdOf, returnIdOf } from './ledgerIds.ts'
import type { Group, LedgerRefusal } from './ledgerPlan.ts'
import { chunks } from './planDocument.ts'
import type { ReturnedGoods, Sale } from './soldGoods.ts'

export interface ImportedDocument {
  rows: number
  refusals: readonly LedgerRefusal[]
}

export interface EarlierImports {
  documents: ReadonlyMap<string, ImportedDocument>
  /** Oldest first. */
  sales: readonly Sale[]
  returns: readonly ReturnedGoods[]
}

export const noEarlierImports: EarlierImports = { documents: new Map(), sales: [], returns: [] }

const types = ['LedgerDocumentImported', 'OrderSubmitted', 'ItemsReturned']

/** Reads what is imported so far, once, from the whole log. */
export async function readEarlierImports(
  eventStore: EventStore,
  codec: Codec,
): Promise<EarlierImports> {
  const documents = new Map<string, ImportedDocument>()
  const sales: (Sale & { at: Date })[] = []
  const returns: ReturnedGoods[] = []
  for await (const recorded of eventStore.readAll({ after: startOfLog, filter: { types } })) {
    const event = await codec.decode(recorded)
    if (event.source !== importSource) continue
    if (event.type === 'LedgerDocumentImported') {
      const { document, rows, refusals } = event.data
      documents.set(document, { rows, refusals })
    } else if (event.type === 'OrderSubmitted') {
      const { orderId, customerId, lines } = event.data
      const at = new Date(event.at)
      for (const line of lines) sales.push({ orderId, customerId, at, ...goodsOf(line) })
    } else if (event.type === 'ItemsReturned') {
      const { orderId, returnId, reference, lines } = event.data
      for (const line of lines) returns.push({ orderId, returnId, reference, ...goodsOf(line) })
    }
  }
  // Documents go in side by side: their order in the log is not that in which things were sold.
  sales.sort((a, b) => a.at.getTime() - b.at.getTime())
  return { documents, sales, returns }
}

function goodsOf(line: { sku: string; unitPrice: { amount: number }; quantity: number }) {
  const { sku, unitPrice, quantity } = line
  return { product: normalizeSku(sku), unitMinor: unitPrice.amount, quantity }
}

export interface Known {
  /** Sales outside the file whose goods may still come back, oldest first. */
  sales: Sale[]
  /** What each document that is in brought back; those that are not in are not listed. */
  returns: ReadonlyMap<string, ReturnedGoods[]>
}

/**
 * What the log knows that matters to a file. Documents that are in are taken as they went in.
 * Those that are not, even where they have begun, are left out: they are planned anew, so that a
 * plan does not depend on how much of it has been carried out.
 */
export function knownTo(groups: readonly Group[], earlier: EarlierImports): Known {
  const own = ownIds(groups)
  const sales = earlier.sales
    .filter(sale => !own.orders.has(sale.orderId))
    .map(sale => ({ ...sale }))
  const byGoods = Map.groupBy(sales, keyOf)
  const done = groups.filter(({ key }) => earlier.documents.has(key))
  const returns = new Map(done.map(({ key }): [string, ReturnedGoods[]] => [key, []]))
  for (const back of earlier.returns) {
    const document = own.documentOf(back)
    if (document === undefined) subtract(byGoods.get(keyOf(back)) ?? [], back.quantity)
    else returns.get(document)?.push({ ...back })
  }
  return { sales: sales.filter(sale => sale.quantity > 0), returns }
}

function subtract(sales: readonly Sale[], pieces: number): void {
  let left = pieces
  for (const sale of sales) {
    const quantity = Math.min(left, sale.quantity)
    sale.quantity -= quantity
    left -= quantity
  }
}

function keyOf({ orderId, product, unitMinor }: Omit<Sale, 'customerId'>) {
  return `${orderId}/${unitMinor}/${product}`
}

function ownIds(groups: readonly Group[]) {
  const orders = new Set(
    groups.flatMap(({ key, entries }) => chunks(entries).map((_, index) => orderIdOf(key, index))),
  )
  const byInvoice = Map.groupBy(groups, ({ entries }) => entries[0]?.invoice)
  const documentOf = ({ orderId, returnId, reference }: ReturnedGoods) =>
    byInvoice.get(reference)?.find(({ key }) => returnIdOf(key, orderId) === returnId)?.key
  return { orders, documentOf }
}
