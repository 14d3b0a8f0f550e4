// Products as shoppers look for them: filters, words, and every order they can be sorted by.
import { type Kysely, sql } from 'kysely'
import { productColumns, publicProduct } from './catalogueQueries.ts'
import { type Part, readPart, type Sorting, type SortKind } from './keyset.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export const orderings = [
  'name',
  '-name',
  'price',
  '-price',
  'createdAt',
  '-createdAt',
  'relevance',
] as const
export type Ordering = (typeof orderings)[number]

export interface ProductFilter {
  category?: string | undefined
  minPrice?: number | undefined
  maxPrice?: number | undefined
  inStock?: boolean | undefined
  featured?: boolean | undefined
  search?: string | undefined
}

const keys = {
  name: { key: sql`name`, kind: 'text' },
  price: { key: sql`price_minor`, kind: 'number' },
  createdAt: { key: sql`created_at`, kind: 'time' },
} as const

/** What sort keys of an ordering are, for whoever has to check them. */
export function sortKindOf(ordering: Ordering): SortKind {
  return sortingOf(ordering, '').kind
}

/** The ordering of those who do not ask for one. */
export function usualOrdering({ search }: ProductFilter): Ordering {
  return wordsOf(search) === undefined ? '-createdAt' : 'relevance'
}

/** A part of the products as shoppers see them. */
export async function listProducts(db: Db, filter: ProductFilter, wanted: Part, by: Ordering) {
  const query = (await filtered(db, filter)).select(productColumns)
  const { rows, next, total } = await readPart(query, sortingOf(by, filter.search), wanted)
  return { data: rows.map(publicProduct), next, total }
}

function sortingOf(ordering: Ordering, search: string | undefined): Sorting {
  const id = sql`product_id`
  switch (ordering) {
    case 'relevance':
      return { key: relevance(search ?? ''), kind: 'number', id, descending: true }
    case '-name':
    case '-price':
    case '-createdAt':
      return { ...keys[withoutMinus(ordering)], id, descending: true }
    default:
      return { ...keys[ordering], id, descending: false }
  }
}

function withoutMinus(ordering: '-name' | '-price' | '-createdAt'): keyof typeof keys {
  if (ordering === '-name') return 'name'
  return ordering === '-price' ? 'price' : 'createdAt'
}

/**
 * A whole number, so that a cursor holds exactly what was compared: the SKU itself first, then the
 * name itself, then how much the words say, with names above SKUs above descriptions; where they
 * are only spelled nearly so, how near. Cheap, since it is worked out for all that is found.
 */
function relevance(search: string) {
  const words = search.trim()
  return sql`(1000000 * (
    case when sku = upper(${words}) then 8 else 0 end
    + case when lower(name) = lower(${words}) then 4 else 0 end
    + case
        when search @@ public.word_prefixes(${words})
          then ts_rank('{0.1, 0.2, 0.4, 1}', search, public.word_prefixes(${words}))
        else word_similarity(public.plain_words(${words}), words)
      end
  ))::bigint`
}

async function filtered(db: Db, filter: ProductFilter) {
  let query = db.selectFrom('products').where('active', '=', true).where('deleted', '=', false)
  const { category, minPrice, maxPrice, inStock, featured } = filter
  if (category !== undefined) query = query.where('category_id', '=', category)
  if (minPrice !== undefined) query = query.where('price_minor', '>=', BigInt(minPrice))
  if (maxPrice !== undefined) query = query.where('price_minor', '<=', BigInt(maxPrice))
  if (inStock === true) query = query.where(sql<boolean>`on_hand > reserved`)
  if (inStock === false) query = query.where(sql<boolean>`on_hand <= reserved`)
  if (featured !== undefined) query = query.where('featured', '=', featured)
  const words = wordsOf(filter.search)
  return words === undefined ? query : query.where(await about(db, words))
}

function wordsOf(search: string | undefined): string | undefined {
  const words = search?.trim()
  return words === '' ? undefined : words
}

/**
 * Products with words that begin like those of the search, or in a category of such a name. Only
 * where there is none at all, names that are spelled nearly so: beside what was meant, what looks
 * like it is noise. Categories are few and looked up first: a join would keep the indexes of the
 * products from being used.
 */
async function about(db: Db, words: string) {
  const categories = await db
    .selectFrom('categories')
    .select('category_id')
    .where('deleted', '=', false)
    .where(
      sql<boolean>`
        to_tsvector('simple', public.plain_words(name)) @@ public.word_prefixes(${words})
      `,
    )
    .limit(100)
    .execute()
  const exactly = sql<boolean>`(
    search @@ public.word_prefixes(${words})
    or category_id = any(${categories.map(row => row.category_id)}::uuid[])
  )`
  const found = await db
    .selectFrom('products')
    .select('product_id')
    .where('active', '=', true)
    .where('deleted', '=', false)
    .where(exactly)
    .limit(1)
    .executeTakeFirst()
  return found === undefined ? sql<boolean>`public.plain_words(${words}) <% words` : exactly
}
