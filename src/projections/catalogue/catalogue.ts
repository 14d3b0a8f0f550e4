// The catalogue as shoppers browse it: products with price and availability, and categories.

import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { ShownImage } from '../../domain/catalogue/image.ts'
import { fold, type KeyedTable, type Step } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'
import { defineSignal } from '../core/signals.ts'
import type { Tables } from '../core/tables.ts'
import { newListingVersion } from './listingVersion.ts'

export interface ProductRow {
  product_id: string
  sku: string
  name: string
  description: string
  price_minor: number
  currency: string
  category_id: string | null
  featured: boolean
  active: boolean
  deleted: boolean
  images: readonly ShownImage[]
  on_hand: number
  reserved: number
  revision: number
  created_at: string
  updated_at: string
}

const products: KeyedTable<ProductRow> = {
  name: 'products',
  key: 'product_id',
  columns: {
    product_id: 'uuid',
    sku: 'text',
    name: 'text',
    description: 'text',
    price_minor: 'bigint',
    currency: 'text',
    category_id: 'uuid',
    featured: 'boolean',
    active: 'boolean',
    deleted: 'boolean',
    images: 'jsonb',
    on_hand: 'bigint',
    reserved: 'bigint',
    revision: 'bigint',
    created_at: 'timestamptz',
    updated_at: 'timestamptz',
  },
}

interface CategoryRow {
  category_id: string
  name: string
  description: string
  active: boolean
  deleted: boolean
  image: ShownImage | null
  revision: number
  created_at: string
  updated_at: string
}

const categories: KeyedTable<CategoryRow> = {
  name: 'categories',
  key: 'category_id',
  columns: {
    category_id: 'uuid',
    name: 'text',
    description: 'text',
    active: 'boolean',
    deleted: 'boolean',
    image: 'jsonb',
    revision: 'bigint',
    created_at: 'timestamptz',
    updated_at: 'timestamptz',
  },
}

/** Fewer pieces than this are shown as low. */
export const lowStockBelow = 10
export type Availability = 'in' | 'low' | 'out'

/** How much there is, as much as shoppers are told: exact numbers would give sales away. */
export function availabilityOf(available: number): Availability {
  if (available <= 0) return 'out'
  return available < lowStockBelow ? 'low' : 'in'
}

/** Whether listings show a step: of stock they show the band alone. */
function isListed({ before, after, event }: Step<ProductRow>): boolean {
  return !isStockOnly(event) || (before && after && bandOf(before) !== bandOf(after)) === true
}

function bandOf(row: ProductRow): Availability {
  return availabilityOf(row.on_hand - row.reserved)
}

/** What listings show has changed. */
export const listingsChanged = defineSignal('listings-changed')

export const catalogue = defineProjection({
  name: 'catalogue',
  version: 3,
  tables: ['products', 'categories', 'product_words'],
  signals: [listingsChanged],
  on: [
    'ProductCreated',
    'ProductDetailsChanged',
    'PriceChanged',
    'ProductFeatured',
    'ProductUnfeatured',
    'ProductDeleted',
    'ProductRestored',
    'ProductClaimsVoided',
    'ProductImageAdded',
    'ProductImageRemoved',
    'StockAdjusted',
    'StockCounted',
    'StockReserved',
    'ReservationReleased',
    'ReservationCommitted',
    'CategoryCreated',
    'CategoryChanged',
    'CategoryImageSet',
    'CategoryImageRemoved',
    'CategoryDeleted',
    'CategoryUsed',
    'CategoryClaimsVoided',
  ],
  async plan(events, db) {
    const ofProducts = await fold(db, products, events, {
      keyOf: productOf,
      creation: 'ProductCreated',
      evolve: evolveProduct,
    })
    const ofCategories = await fold(db, categories, events, {
      keyOf: categoryOf,
      evolve: evolveCategory,
    })
    const areChanged = ofCategories.steps.length > 0 || ofProducts.steps.some(isListed)
    const writes = [...ofProducts.writes, ...ofCategories.writes, ...wordsLearnt(db, events)]
    if (areChanged) writes.push(newListingVersion(db))
    return { writes, signals: () => (areChanged ? [listingsChanged.raise()] : []) }
  },
})

/**
 * Keeps every word that products have or had, for searches to be corrected by. Taken from events
 * and not from rows, so that the words are the same however the events are cut into batches.
 */
function wordsLearnt(db: Kysely<Tables>, events: readonly ReadEvent[]): CompiledQuery[] {
  const texts = events.flatMap(event =>
    event.type === 'ProductCreated' || event.type === 'ProductDetailsChanged'
      ? [`${event.data.name} ${event.data.description}`]
      : [],
  )
  if (texts.length === 0) return []
  const insert = sql`
    insert into product_words (word)
    select distinct word
    from unnest(${texts}::text[]) as t (text), public.spelled_words(text) as word
    on conflict do nothing
  `
  return [insert.compile(db)]
}

function productOf(event: ReadEvent): string | undefined {
  if (event.type === 'CategoryUsed') return undefined
  return 'productId' in event.data ? (event.data.productId ?? undefined) : undefined
}

function categoryOf(event: ReadEvent): string | undefined {
  // Products say which category they are in, too.
  if (!event.stream.startsWith('category-')) return undefined
  return 'categoryId' in event.data ? (event.data.categoryId ?? undefined) : undefined
}

function isStockOnly(event: ReadEvent) {
  return event.stream.startsWith('stock-')
}

function evolveProduct(row: ProductRow | undefined, event: ReadEvent): ProductRow | undefined {
  const { at } = event
  if (event.type === 'ProductCreated') {
    const { productId, price, categoryId, ...details } = event.data
    return {
      ...details,
      product_id: productId,
      price_minor: price.amount,
      currency: price.currency,
      category_id: categoryId,
      deleted: false,
      images: [],
      on_hand: 0,
      reserved: 0,
      revision: event.revision,
      created_at: at,
      updated_at: at,
    }
  }
  if (row === undefined) return undefined
  if (isStockOnly(event)) return { ...row, ...pieces(row, event) }
  return { ...row, ...changes(row, event), revision: event.revision, updated_at: at }
}

function changes(row: ProductRow, event: ReadEvent): Partial<ProductRow> {
  switch (event.type) {
    case 'ProductDetailsChanged': {
      const { name, description, categoryId, active } = event.data
      return { name, description, category_id: categoryId, active }
    }
    case 'PriceChanged':
      return { price_minor: event.data.price.amount, currency: event.data.price.currency }
    case 'ProductFeatured':
      return { featured: true }
    case 'ProductUnfeatured':
      return { featured: false }
    case 'ProductImageAdded': {
      const { productId: _, type: __, ...image } = event.data
      return { images: [...row.images, image] }
    }
    case 'ProductImageRemoved': {
      const { imageId } = event.data
      return { images: row.images.filter(image => image.imageId !== imageId) }
    }
    case 'ProductDeleted':
      return { deleted: true }
    case 'ProductRestored':
      return { deleted: false }
    default:
      return {}
  }
}

function pieces(row: ProductRow, event: ReadEvent): Partial<ProductRow> {
  switch (event.type) {
    case 'StockAdjusted':
    case 'StockCounted':
      return { on_hand: row.on_hand + event.data.delta }
    case 'StockReserved':
      return { reserved: row.reserved + event.data.quantity }
    case 'ReservationReleased':
      return { reserved: row.reserved - event.data.quantity }
    case 'ReservationCommitted': {
      const { quantity } = event.data
      return { on_hand: row.on_hand - quantity, reserved: row.reserved - quantity }
    }
    default:
      return {}
  }
}

function evolveCategory(row: CategoryRow | undefined, event: ReadEvent): CategoryRow | undefined {
  const { at } = event
  if (event.type === 'CategoryCreated') {
    const { categoryId, ...details } = event.data
    const nothing = { image: null, deleted: false }
    const times = { created_at: at, updated_at: at }
    return { ...details, ...nothing, ...times, category_id: categoryId, revision: event.revision }
  }
  return row && { ...row, ...categoryChanges(event), revision: event.revision, updated_at: at }
}

function categoryChanges(event: ReadEvent): Partial<CategoryRow> {
  switch (event.type) {
    case 'CategoryChanged': {
      const { name, description, active } = event.data
      return { name, description, active }
    }
    case 'CategoryImageSet': {
      const { categoryId: _, type: __, ...image } = event.data
      return { image }
    }
    case 'CategoryImageRemoved':
      return { image: null }
    case 'CategoryDeleted':
      return { deleted: true }
    default:
      return {}
  }
}
