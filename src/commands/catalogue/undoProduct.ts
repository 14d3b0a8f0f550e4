// Undoes one row of a bulk import, unless its product has been changed since.

import * as product from '../../domain/catalogue/product.ts'
import { release } from '../../domain/catalogue/skuClaim.ts'
import type { DomainEvent } from '../../domain/kernel/aggregate.ts'
import { fold } from '../../domain/kernel/aggregate.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import * as stock from '../../domain/stock/stock.ts'
import type { Codec } from '../../ports/codec.ts'
import type { Envelope } from '../../ports/envelope.ts'
import { type EventStore, readStream } from '../../ports/eventStore.ts'
import type { App } from '../core/app.ts'
import { unlessUnreadable } from '../core/brokenStream.ts'
import { step } from '../core/envelope.ts'
import { claimCategory } from './claims.ts'
import { changed } from './importProduct.ts'

/** What is needed to undo a row, beside its product. */
export interface UndoneRow {
  productId: string
  sku: string
  action: 'created' | 'changed'
  revision: number
  /** Pieces that were booked in with it. */
  stock: number
  /** Of the count of its stock; null where nothing was counted. */
  stockRevision: number | null
}

export interface UndoParts {
  app: App
  eventStore: EventStore
  codec: Codec
}

const changedSince = 'the product has changed since the import'
const stockMoved = 'its stock has moved since the import'
const notOfImport = 'the log does not say that the import has done this'

/**
 * Undoes a row, unless others have changed since what it led to: then it gives the reason, and
 * everything stays. `row` is the envelope that the row was carried out with. May be repeated.
 */
export async function undoProduct(
  parts: UndoParts,
  undone: UndoneRow,
  { row, undo }: { row: Envelope; undo: Envelope },
): Promise<string | undefined> {
  if (!(await isOfRow(parts.app, undone, row))) return notOfImport
  if (undone.action === 'created') return unlist(parts.app, undone, undo)
  const before = await stateBefore(parts, undone.productId, changed(row).commandId)
  // A row that has only counted: what has become of the product since does not matter.
  const reverted = await revertCount(parts, undone, undo)
  if (reverted === undefined) return stockMoved
  if (before === undefined) return undefined
  const refused = await revertChange(parts, { undone, before }, undo)
  if (refused !== undefined && reverted !== 0) {
    const data = { productId: undone.productId, delta: reverted, reason: 'correction' } as const
    await parts.app.stock.decide(undone.productId, step(undo, 'stock-back'), state =>
      stock.adjust(state, data),
    )
  }
  return refused
}

/**
 * Whether the log has what is to be undone from this row of the import: the table that says what
 * came of the rows may have been tampered with.
 */
async function isOfRow(
  app: App,
  { productId, action, revision, stockRevision }: UndoneRow,
  row: Envelope,
): Promise<boolean> {
  if (action === 'created') {
    const made = await app.products.processed(productId, [row.commandId])
    return made.get(row.commandId)?.revision === revision
  }
  if (stockRevision === null) return true
  const { commandId } = step(row, 'count')
  const counted = await app.stock.processed(productId, [commandId])
  return counted.get(commandId)?.revision === stockRevision
}

/** The pieces by which a count is taken back; undefined where its stock has moved since. */
async function revertCount(
  { app, eventStore, codec }: UndoParts,
  { productId, stockRevision }: UndoneRow,
  undo: Envelope,
): Promise<number | undefined> {
  if (stockRevision === null) return 0
  const range = { from: stockRevision, to: stockRevision }
  let delta = 0
  for await (const recorded of readStream(eventStore, `stock-${productId}`, range)) {
    const event = await codec.decodeFor<stock.StockEvent & DomainEvent>(stock.stock, recorded)
    if (event.type === 'StockCounted') delta = event.data.delta
  }
  const expected = { ...step(undo, 'stock'), expectedRevision: stockRevision }
  const outcome = await app.stock.decide(productId, expected, state =>
    stock.adjust(state, { productId, delta: -delta, reason: 'correction' }),
  )
  return isRejection(outcome) ? undefined : delta
}

async function revertChange(
  parts: UndoParts,
  { undone, before }: { undone: UndoneRow; before: product.Product },
  undo: Envelope,
): Promise<string | undefined> {
  const { productId, revision } = undone
  const expected = { ...undo, expectedRevision: revision }
  const categoryId = before.status === 'none' ? null : before.categoryId
  const gone = await claimCategory(parts.app, { categoryId, productId }, undo)
  if (gone !== undefined) return 'the category that it was in is gone'
  // A claim that was voided meanwhile is another revision: then the undo is refused.
  const outcome = await parts.app.products.decide(productId, expected, state =>
    before.status === 'none' ? [] : product.change(state, before),
  )
  return isRejection(outcome) ? changedSince : undefined
}

/** The product as it was before a command, from the log; undefined where that changed nothing. */
async function stateBefore({ eventStore, codec }: UndoParts, productId: string, commandId: string) {
  const events: product.ProductEvent[] = []
  for await (const recorded of readStream(eventStore, `product-${productId}`)) {
    const event = await codec.decodeFor<product.ProductEvent & DomainEvent>(
      product.product,
      recorded,
    )
    if (event.commandId === commandId) return fold(product.product, events)
    events.push(event)
  }
  return undefined
}

/**
 * Takes a product out of the shop again, if it and its stock are as the import left them. Its
 * pieces go first, and only if none has moved: from then on none can be ordered.
 */
async function unlist(app: App, undone: UndoneRow, envelope: Envelope) {
  const { productId, sku, revision, stock: pieces } = undone
  const now = await app.products.load(productId)
  if (now.revision !== revision) {
    const { commandId } = envelope
    if (!(await app.products.processed(productId, [commandId])).has(commandId)) return changedSince
  }
  const emptied = await app.stock.decide(
    productId,
    { ...step(envelope, 'stock'), expectedRevision: pieces > 0 ? 0 : -1 },
    state => stock.adjust(state, { productId, delta: -pieces, reason: 'correction' }),
  )
  if (isRejection(emptied)) return stockMoved
  const expected = { ...envelope, expectedRevision: revision }
  const removed = await app.products.decide(productId, expected, state =>
    product.remove(state, productId),
  )
  if (isRejection(removed)) {
    await app.stock.decide(productId, step(envelope, 'stock-back'), state =>
      stock.adjust(state, { productId, delta: pieces, reason: 'correction' }),
    )
    return changedSince
  }
  // Where it cannot be given back it is free nevertheless: its product is deleted.
  const given = app.skuClaims.decide(encodeURIComponent(sku), step(envelope, 'sku'), state =>
    release(state, sku, productId),
  )
  await unlessUnreadable(given)
  return undefined
}
