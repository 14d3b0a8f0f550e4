// The catalogue as shoppers browse it: products with price and availability, and categories.

import type { Kysely } from 'kysely'
import Type from 'typebox'
import { type CategoryEvent, CategoryEvents } from '../../domain/catalogue/category.ts'
import { ShownImage } from '../../domain/catalogue/image.ts'
import { type ProductEvent, ProductEvents } from '../../domain/catalogue/product.ts'
import type { StockEvent } from '../../domain/stock/stock.ts'
import type { ReadEvent } from '../core/events.ts'
import type { Step } from '../core/keyedTable.ts'
import type { Plan } from '../core/plan.ts'
import { defineProjection } from '../core/projection.ts'
import { type Changes, keyedModel } from '../core/readModel.ts'
import { defineSignal } from '../core/signals.ts'
import {
  bigint,
  boolean,
  jsonb,
  nullable,
  type RowOf,
  type SelectedOf,
  textOf,
  time,
  uuid,
} from '../core/table.ts'
import type { Tables } from '../core/tables.ts'
import { newListingVersion } from './listingVersion.ts'
import { productWords } from './productWords.ts'

const created = ProductEvents.ProductCreated.properties
const category = CategoryEvents.CategoryCreated.properties

const products = {
  name: 'products',
  key: 'product_id',
  columns: {
    product_id: uuid,
    sku: textOf(created.sku),
    name: textOf(created.name),
    description: textOf(created.description),
    price_minor: bigint,
    currency: textOf(created.price.properties.currency),
    category_id: nullable(uuid),
    featured: boolean,
    active: boolean,
    deleted: boolean,
    images: jsonb(Type.Array(ShownImage)),
    on_hand: bigint,
    reserved: bigint,
    revision: bigint,
    created_at: time,
    updated_at: time,
  },
} as const
type Product = RowOf<typeof products>

const categories = {
  name: 'categories',
  key: 'category_id',
  columns: {
    category_id: uuid,
    name: textOf(category.name),
    description: textOf(category.description),
    active: boolean,
    deleted: boolean,
    image: nullable(jsonb(ShownImage)),
    revision: bigint,
    created_at: time,
    updated_at: time,
  },
} as const
type Category = RowOf<typeof categories>

declare module '../core/tables.ts' {
  interface Tables {
    products: SelectedOf<typeof products>
    categories: SelectedOf<typeof categories>
  }
}

/** Fewer pieces than this are shown as low. */
export const lowStockBelow = 10
export type Availability = 'in' | 'low' | 'out'

/** How much there is, as much as shoppers are told: exact numbers would give sales away. */
export function availabilityOf(available: number): Availability {
  if (available <= 0) return 'out'
  return available < lowStockBelow ? 'low' : 'in'
}

function bandOf(row: Product): Availability {
  return availabilityOf(row.on_hand - row.reserved)
}

/** What listings show has changed. */
export const listingsChanged = defineSignal('listings-changed')

/** Caches that miss the signal see the version of the listings. */
function listingChange(isShown: boolean, db: Kysely<Tables>): Plan {
  if (!isShown) return { writes: [] }
  return { writes: [newListingVersion(db)], signals: () => [listingsChanged.raise()] }
}

/** Whether listings show a step: of stock they show the band alone. */
function isListed({ before, after, event }: Step<Product>): boolean {
  return !isStockOnly(event) || (before && after && bandOf(before) !== bandOf(after)) === true
}

function isStockOnly(event: ReadEvent) {
  return event.stream.startsWith('stock-')
}

const productChanges: Changes<
  Product,
  | Exclude<ProductEvent['type'], 'ProductCreated'>
  | Exclude<StockEvent['type'], 'ReservationRefused'>
> = {
  ProductDetailsChanged: (_, { data: { name, description, categoryId, active } }) => ({
    ...{ name, description, active },
    category_id: categoryId,
  }),
  PriceChanged: (_, { data: { price } }) => ({
    price_minor: price.amount,
    currency: price.currency,
  }),
  ProductFeatured: () => ({ featured: true }),
  ProductUnfeatured: () => ({ featured: false }),
  ProductImageAdded({ images }, { data }) {
    const { productId: _, type: __, ...image } = data
    return { images: [...images, image] }
  },
  ProductImageRemoved: ({ images }, { data }) => ({
    images: images.filter(({ imageId }) => imageId !== data.imageId),
  }),
  ProductDeleted: () => ({ deleted: true }),
  ProductRestored: () => ({ deleted: false }),
  ProductClaimsVoided: () => ({}),
  StockAdjusted: ({ on_hand }, { data }) => ({ on_hand: on_hand + data.delta }),
  StockCounted: ({ on_hand }, { data }) => ({ on_hand: on_hand + data.delta }),
  StockReserved: ({ reserved }, { data }) => ({ reserved: reserved + data.quantity }),
  ReservationReleased: ({ reserved }, { data }) => ({ reserved: reserved - data.quantity }),
  ReservationCommitted: ({ on_hand, reserved }, { data: { quantity } }) => ({
    on_hand: on_hand - quantity,
    reserved: reserved - quantity,
  }),
}

const productsModel = keyedModel(products, {
  keyOf: event => event.data.productId,
  creates: {
    ProductCreated({ data: { productId, price, categoryId, ...details }, at, revision }) {
      const none = { deleted: false, images: [], on_hand: 0, reserved: 0 }
      return {
        ...{ ...details, ...none, revision },
        product_id: productId,
        price_minor: price.amount,
        currency: price.currency,
        category_id: categoryId,
        created_at: at,
        updated_at: at,
      }
    },
  },
  changes: productChanges,
  finish: (row, event) =>
    isStockOnly(event) ? row : { ...row, revision: event.revision, updated_at: event.at },
  derived: {
    signals: [listingsChanged],
    plan: (steps, db) => listingChange(steps.some(isListed), db),
  },
})

const categoryChanges: Changes<Category, Exclude<CategoryEvent['type'], 'CategoryCreated'>> = {
  CategoryChanged: (_, { data: { name, description, active } }) => ({ name, description, active }),
  CategoryImageSet(_, { data }) {
    const { categoryId: _id, type: _type, ...image } = data
    return { image }
  },
  CategoryImageRemoved: () => ({ image: null }),
  CategoryDeleted: () => ({ deleted: true }),
  CategoryUsed: () => ({}),
  CategoryClaimsVoided: () => ({}),
}

const categoriesModel = keyedModel(categories, {
  keyOf: event => event.data.categoryId,
  creates: {
    CategoryCreated({ data: { categoryId, ...details }, at }) {
      const none = { image: null, deleted: false, revision: 0 }
      return { ...details, ...none, category_id: categoryId, created_at: at, updated_at: at }
    },
  },
  changes: categoryChanges,
  finish: (row, { revision, at }) => ({ ...row, revision, updated_at: at }),
  derived: { signals: [listingsChanged], plan: (steps, db) => listingChange(steps.length > 0, db) },
})

export const catalogue = defineProjection({
  name: 'catalogue',
  version: 3,
  models: [productsModel, categoriesModel, productWords],
})
