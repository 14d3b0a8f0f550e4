// One row of a bulk import: lists a product, or changes the one that has its SKU; and undoes that.
import type { DomainEvent } from '../domain/aggregate.ts'
import { fold } from '../domain/aggregate.ts'
import * as product from '../domain/product.ts'
import { isRejection, type Rejection, reject } from '../domain/rejection.ts'
import { release } from '../domain/skuClaim.ts'
import * as stock from '../domain/stock.ts'
import type { Money } from '../domain/types.ts'
import type { EventStore } from '../eventstore/port.ts'
import { createProduct } from './catalogue.ts'
import { claimCategory } from './claims.ts'
import { step } from './command.ts'
import type { Codec, Envelope } from './ports.ts'
import type { Shop } from './shop.ts'

/** What a row says of a product; its SKU is normalized. */
export interface ProductRow {
  sku: string
  name?: string
  description?: string
  price?: Money
  categoryId?: string
  featured?: boolean
  active?: boolean
  /** Pieces to begin with; a product that is there already keeps what it has. */
  stock?: number
}

export type RowAction = 'created' | 'changed' | 'unchanged'

export interface ImportedRow {
  action: RowAction
  productId: string
  /** Of the product, as the row has left it. */
  revision: number
}

const changed = (envelope: Envelope) => step(envelope, 'change')

/**
 * Carries a row out. The ids of its commands follow from the envelope's, so the same row again
 * changes nothing and gets its first answer.
 */
export async function importProduct(
  shop: Shop,
  row: ProductRow,
  envelope: Envelope,
): Promise<ImportedRow | Rejection> {
  const { name, price } = row
  if (name !== undefined && price !== undefined) {
    const made = await createProduct.run(shop, { ...row, name, price }, envelope)
    if (!isRejection(made))
      return { action: 'created', productId: made.id, revision: made.revision }
    if (made.rejected !== 'product/sku-taken') return made
  }
  const productId = await ownerOf(shop, row.sku)
  if (productId === null) return incomplete(row)
  let isChange = false
  const { state: before } = await shop.products.load(productId)
  const isMove = before.status === 'listed' && before.categoryId !== row.categoryId
  const use = { categoryId: isMove ? row.categoryId : null, productId }
  const gone = await claimCategory(shop, use, changed(envelope))
  if (gone !== undefined) return gone
  const outcome = await shop.products.decide(productId, changed(envelope), state => {
    const decision = product.change(state, changeOf(row, productId), product.voidedOf(before))
    isChange = !isRejection(decision) && decision.length > 0
    return decision
  })
  if (isRejection(outcome)) return deleted(outcome)
  const action = isChange || outcome.replayed ? 'changed' : 'unchanged'
  return { action, productId, revision: outcome.revision }
}

/** What `importProduct` would do now, without doing it; `moves`: to a category yet to be made. */
export async function tryProduct(
  shop: Shop,
  row: ProductRow,
  moves: boolean,
): Promise<RowAction | Rejection> {
  const productId = await ownerOf(shop, row.sku)
  if (productId === null) {
    return row.name === undefined || row.price === undefined ? incomplete(row) : 'created'
  }
  const { state } = await shop.products.load(productId)
  const decision = product.change(state, changeOf(row, productId))
  if (isRejection(decision)) return deleted(decision)
  return decision.length > 0 || moves ? 'changed' : 'unchanged'
}

async function ownerOf(shop: Shop, sku: string): Promise<string | null> {
  const { productId } = (await shop.skuClaims.load(encodeURIComponent(sku))).state
  if (productId === null) return null
  // The SKU of a product that is deleted is free for the next one.
  return (await shop.products.load(productId)).state.status === 'listed' ? productId : null
}

function changeOf({ stock: _, sku: __, ...details }: ProductRow, productId: string) {
  return { ...details, productId }
}

function incomplete({ name }: ProductRow): Rejection {
  const pointer = name === undefined ? '/name' : '/price'
  return reject('product/not-found', 'A new product needs a name and a price.', {
    errors: [{ pointer, detail: 'is missing, and there is no product with this SKU' }],
  })
}

function deleted(refusal: Rejection): Rejection {
  if (refusal.rejected !== 'product/not-found') return refusal
  return reject('product/not-found', 'The product with this SKU has been deleted.', {
    errors: [{ pointer: '/sku', detail: 'belongs to a product that has been deleted' }],
  })
}

/** What is needed to undo a row, beside its product. */
export interface UndoneRow {
  productId: string
  sku: string
  action: 'created' | 'changed'
  revision: number
  /** Pieces that were booked in with it. */
  stock: number
}

export interface UndoParts {
  shop: Shop
  eventStore: EventStore
  codec: Codec
}

const changedSince = 'the product has changed since the import'
const stockMoved = 'its stock has moved since the import'

/**
 * Undoes a row, unless others have changed since what it led to: then it gives the reason, and
 * everything stays. `row` is the envelope that the row was carried out with. May be repeated.
 */
export async function undoProduct(
  parts: UndoParts,
  undone: UndoneRow,
  { row, undo }: { row: Envelope; undo: Envelope },
): Promise<string | undefined> {
  const { productId, revision } = undone
  if (undone.action === 'created') return unlist(parts.shop, undone, undo)
  const before = await stateBefore(parts, productId, changed(row).commandId)
  const expected = { ...undo, expectedRevision: revision }
  const categoryId = before.status === 'none' ? null : before.categoryId
  const gone = await claimCategory(parts.shop, { categoryId, productId }, undo)
  if (gone !== undefined) return 'the category that it was in is gone'
  // A claim that was voided meanwhile is another revision: then the undo is refused.
  const outcome = await parts.shop.products.decide(productId, expected, state =>
    before.status === 'none' ? [] : product.change(state, before),
  )
  return isRejection(outcome) ? changedSince : undefined
}

/** The product as it was before a command, from the log. */
async function stateBefore({ eventStore, codec }: UndoParts, productId: string, commandId: string) {
  const events: product.ProductEvent[] = []
  for await (const recorded of eventStore.readStream(`product-${productId}`)) {
    const event = await codec.decodeFor<product.ProductEvent & DomainEvent>(
      product.product,
      recorded,
    )
    if (event.commandId === commandId) break
    events.push(event)
  }
  return fold(product.product, events)
}

/**
 * Takes a product out of the shop again, if it and its stock are as the import left them. Its
 * pieces go first, and only if nobody has touched them: from then on nobody can order any.
 */
async function unlist(shop: Shop, undone: UndoneRow, envelope: Envelope) {
  const { productId, sku, revision, stock: pieces } = undone
  const now = await shop.products.load(productId)
  if (now.revision !== revision && !now.handled.has(envelope.commandId)) return changedSince
  const emptied = await shop.stock.decide(
    productId,
    { ...step(envelope, 'stock'), expectedRevision: pieces > 0 ? 0 : -1 },
    state => stock.adjust(state, { productId, delta: -pieces, reason: 'correction' }),
  )
  if (isRejection(emptied)) return stockMoved
  const expected = { ...envelope, expectedRevision: revision }
  const removed = await shop.products.decide(productId, expected, state =>
    product.remove(state, productId),
  )
  if (isRejection(removed)) {
    await shop.stock.decide(productId, step(envelope, 'stock-back'), state =>
      stock.adjust(state, { productId, delta: pieces, reason: 'correction' }),
    )
    return changedSince
  }
  await shop.skuClaims.decide(encodeURIComponent(sku), step(envelope, 'sku'), state =>
    release(state, sku, productId),
  )
  return undefined
}
