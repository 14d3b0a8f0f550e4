// One row of a bulk import: lists a product, or changes the one that has its SKU.
import * as product from '../../domain/catalogue/product.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Money } from '../../domain/kernel/types.ts'
import * as stock from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { step } from '../core/envelope.ts'
import { claimCategory } from './claims.ts'
import { createProduct } from './products.ts'

/** What a row says of a product; its SKU is normalized. */
export interface ProductRow {
  sku: string
  name?: string
  description?: string
  price?: Money
  categoryId?: string
  featured?: boolean
  active?: boolean
  /** Pieces that there are: to begin with, or as they have been counted. */
  stock?: number
}

export type RowAction = 'created' | 'changed' | 'unchanged'

export interface ImportedRow {
  action: RowAction
  productId: string
  /** Of the product, as the row has left it. */
  revision: number
  /** Of the count in the stream of its stock; null where nothing was counted. */
  stockRevision: number | null
}

/** The step in which a row changes its product. */
export const changed = (envelope: Envelope) => step(envelope, 'change')

/**
 * Carries a row out. The ids of its commands follow from the envelope's, so the same row again
 * changes nothing and gets its first answer.
 */
export async function importProduct(
  app: App,
  row: ProductRow,
  envelope: Envelope,
): Promise<ImportedRow | Rejection> {
  const { name, price } = row
  if (name !== undefined && price !== undefined) {
    const made = await createProduct.run(app, { ...row, name, price }, envelope)
    if (!isRejection(made))
      return {
        action: 'created',
        productId: made.id,
        revision: made.revision,
        stockRevision: null,
      }
    if (made.rejected !== 'product/sku-taken') return made
  }
  const productId = await ownerOf(app, row.sku)
  return productId === null ? incomplete(row) : changeProduct(app, { row, productId }, envelope)
}

async function changeProduct(
  app: App,
  { row, productId }: { row: ProductRow; productId: string },
  envelope: Envelope,
): Promise<ImportedRow | Rejection> {
  let isChange = false
  const { state: before } = await app.products.load(productId)
  const refused = product.change(before, changeOf(row, productId))
  if (isRejection(refused)) return deleted(refused)
  const isMove = before.status === 'listed' && before.categoryId !== row.categoryId
  const use = { categoryId: isMove ? row.categoryId : null, productId }
  const gone = await claimCategory(app, use, changed(envelope))
  if (gone !== undefined) return gone
  // First: a count that cannot be leaves the whole row undone.
  const counted = await countStock(app, { row, productId }, envelope)
  if (isRejection(counted)) return counted
  const outcome = await app.products.decide(productId, changed(envelope), state => {
    const decision = product.change(state, changeOf(row, productId), product.voidedOf(before))
    isChange = !isRejection(decision) && decision.length > 0
    return decision
  })
  if (isRejection(outcome)) return deleted(outcome)
  const isOther = isChange || outcome.replayed || counted.stockRevision !== null
  const action = isOther ? 'changed' : 'unchanged'
  return { action, productId, revision: outcome.revision, ...counted }
}

/** Books what a row has counted, decided where sales are; nothing where it is what there is. */
async function countStock(
  app: App,
  { row, productId }: { row: ProductRow; productId: string },
  envelope: Envelope,
): Promise<{ stockRevision: number | null } | Rejection> {
  const { stock: counted } = row
  if (counted === undefined) return { stockRevision: null }
  let isCount = false
  const outcome = await app.stock.decide(productId, step(envelope, 'count'), state => {
    const decision = countOf(state, productId, counted)
    isCount = !isRejection(decision) && decision.length > 0
    return decision
  })
  if (isRejection(outcome)) return outcome
  return { stockRevision: isCount || outcome.replayed ? outcome.revision : null }
}

function countOf(state: stock.Stock, productId: string, counted: number) {
  if (counted === state.onHand) return []
  const decision = stock.countPieces(state, { productId, counted })
  if (!isRejection(decision)) return decision
  const detail = `is below the ${state.reservedTotal} pieces that are reserved for open orders`
  return { ...decision, extra: { ...decision.extra, errors: [{ pointer: '/stock', detail }] } }
}

/** What `importProduct` would do now, without doing it; `moves`: to a category yet to be made. */
export async function tryProduct(
  app: App,
  row: ProductRow,
  moves: boolean,
): Promise<RowAction | Rejection> {
  const productId = await ownerOf(app, row.sku)
  if (productId === null) {
    return row.name === undefined || row.price === undefined ? incomplete(row) : 'created'
  }
  const { state } = await app.products.load(productId)
  const decision = product.change(state, changeOf(row, productId))
  if (isRejection(decision)) return deleted(decision)
  const counted = await tryCount(app, row, productId)
  if (isRejection(counted)) return counted
  return decision.length > 0 || moves || counted.length > 0 ? 'changed' : 'unchanged'
}

async function tryCount(app: App, { stock: counted }: ProductRow, productId: string) {
  if (counted === undefined) return []
  return countOf((await app.stock.load(productId)).state, productId, counted)
}

async function ownerOf(app: App, sku: string): Promise<string | null> {
  const { productId } = (await app.skuClaims.load(encodeURIComponent(sku))).state
  if (productId === null) return null
  // The SKU of a product that is deleted is free for the next one.
  return (await app.products.load(productId)).state.status === 'listed' ? productId : null
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
