// Questions to the catalogue: one product, what is scarce, categories, the stock ledger.
import { type Kysely, type Selectable, sql } from 'kysely'
import { type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'
import { availabilityOf, lowStockBelow } from './catalogue.ts'
import { publicImage } from './images.ts'

type Db = Kysely<Tables>
type ProductRecord = Selectable<Tables['products']>

/** Everything but what is only there to be searched. */
export const productColumns = [
  'product_id',
  'sku',
  'name',
  'description',
  'price_minor',
  'currency',
  'category_id',
  'featured',
  'active',
  'deleted',
  'images',
  'on_hand',
  'reserved',
  'revision',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof ProductRecord)[]

/** A product as shoppers see it. */
export function publicProduct(row: ProductRecord) {
  const available = Number(row.on_hand - row.reserved)
  return {
    id: row.product_id,
    sku: row.sku,
    name: row.name,
    description: row.description,
    price: { amount: Number(row.price_minor), currency: row.currency },
    categoryId: row.category_id,
    featured: row.featured,
    images: row.images.map(publicImage),
    availability: availabilityOf(available),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}

/** A product as the staff sees it. */
export function staffProduct(row: ProductRecord) {
  const { active, deleted } = row
  return { ...publicProduct(row), active, deleted, stock: stockOf(row) }
}

/** One product with its revision; staff also see how many pieces there are. */
export async function findProduct(db: Db, productId: string, forStaff: boolean) {
  const row = await db
    .selectFrom('products')
    .leftJoin('categories', 'categories.category_id', 'products.category_id')
    .select(productColumns.map(column => `products.${column}` as const))
    .select(['categories.name as category_name', 'categories.deleted as category_gone'])
    .where('product_id', '=', productId)
    .executeTakeFirst()
  if (row === undefined || (!forStaff && (row.deleted || !row.active))) return undefined
  const { category_id: id, category_name: name, category_gone: isGone } = row
  const category = id === null || name === null || isGone === true ? null : { id, name }
  const product = { ...(forStaff ? staffProduct(row) : publicProduct(row)), category }
  return { revision: Number(row.revision), product }
}

function stockOf(row: ProductRecord) {
  const onHand = Number(row.on_hand)
  const reserved = Number(row.reserved)
  return { onHand, reserved, available: onHand - reserved }
}

/**
 * Products of which there are fewer than `below` pieces, the scarcest first. Without an index: one
 * on pieces would have to be kept with each order, for a list that is looked at now and then.
 */
export async function lowStock(db: Db, part: PageRequest, below = lowStockBelow) {
  const query = db
    .selectFrom('products')
    .select(productColumns)
    .where('deleted', '=', false)
    .where(sql<boolean>`on_hand - reserved < ${below}`)
  const key = sql`(on_hand - reserved)`
  const scarcest = { key, kind: 'number', id: sql`product_id`, descending: false } as const
  const { rows, next, total } = await readPage(db, query, scarcest, part)
  return { data: rows.map(row => ({ ...publicProduct(row), stock: stockOf(row) })), next, total }
}

/** What carts need to know of products: price and availability as they are now. */
export async function offersOf(db: Db, productIds: readonly string[]) {
  if (productIds.length === 0) return new Map<string, ReturnType<typeof offerOf>>()
  const rows = await db
    .selectFrom('products')
    .select(productColumns)
    .where('product_id', 'in', productIds)
    .execute()
  return new Map(rows.map(row => [row.product_id, offerOf(row)]))
}

function offerOf(row: ProductRecord) {
  const isSold = row.active && !row.deleted
  return {
    price: { amount: Number(row.price_minor), currency: row.currency },
    availability: isSold ? availabilityOf(Number(row.on_hand - row.reserved)) : ('out' as const),
  }
}

/** A part of the categories by name. */
export async function listCategories(db: Db, includeInactive: boolean, part: PageRequest) {
  let query = db.selectFrom('categories').selectAll().where('deleted', '=', false)
  if (!includeInactive) query = query.where('active', '=', true)
  const byName = { key: sql`name`, kind: 'text', id: sql`category_id`, descending: false } as const
  const { rows, next, total } = await readPage(db, query, byName, part)
  return { data: rows.map(publicCategory), next, total }
}

/** One category with its revision. */
export async function findCategory(db: Db, categoryId: string) {
  const row = await db
    .selectFrom('categories')
    .selectAll()
    .where('category_id', '=', categoryId)
    .where('deleted', '=', false)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return { revision: Number(row.revision), category: publicCategory(row) }
}

function publicCategory(row: Selectable<Tables['categories']>) {
  const { category_id: id, name, description, active, image } = row
  return { id, name, description, active, image: image === null ? null : publicImage(image) }
}

/** How many products that are not deleted belong to a category. */
export async function countProducts(db: Db, categoryId: string): Promise<number> {
  const found = await db
    .selectFrom('products')
    .select(eb => eb.fn.countAll<bigint>().as('count'))
    .where('category_id', '=', categoryId)
    .where('deleted', '=', false)
    .executeTakeFirst()
  return Number(found?.count ?? 0)
}

const latestFirst = {
  key: sql`position`,
  kind: 'number',
  id: sql`product_id`,
  descending: true,
} as const

/** How many pieces there are of a product, and a part of the movements that explain it. */
export async function stockLedger(db: Db, productId: string, part: PageRequest) {
  const product = await db
    .selectFrom('products')
    .select(productColumns)
    .where('product_id', '=', productId)
    .executeTakeFirst()
  if (product === undefined) return undefined
  const query = db.selectFrom('stock_movements').selectAll().where('product_id', '=', productId)
  const { rows, next, total } = await readPage(db, query, latestFirst, part)
  return { stock: stockOf(product), movements: { data: rows.map(publicMovement), next, total } }
}

function publicMovement(row: Selectable<Tables['stock_movements']>) {
  return {
    position: String(row.position),
    kind: row.kind,
    onHandDelta: Number(row.on_hand_delta),
    reservedDelta: Number(row.reserved_delta),
    reason: row.reason,
    note: row.note,
    orderId: row.order_id,
    actor: row.actor,
    at: row.at.toISOString(),
  }
}
