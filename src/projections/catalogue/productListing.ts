// Products as shoppers look for them: filters, words, and every order they can be sorted by.
import { type Kysely, sql } from 'kysely'
import { type PageRequest, readPage, type Sorting, type SortKind } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'
import { productColumns, publicProduct, staffProduct } from './catalogueQueries.ts'

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
  /** For the staff: where one of these two is said, it decides what is in the list. */
  active?: boolean | undefined
  deleted?: boolean | undefined
}

/** Whether a list may have products in it that shoppers do not see. */
export function isForStaff({ active, deleted }: ProductFilter): boolean {
  return active !== undefined || deleted !== undefined
}

const keys = {
  name: { key: sql`name`, kind: 'text' },
  price: { key: sql`price_minor`, kind: 'number' },
  createdAt: { key: sql`created_at`, kind: 'time' },
} as const

/** What sort keys of an ordering are, for whoever has to check them. */
export function sortKindOf(ordering: Ordering): SortKind {
  switch (ordering) {
    case 'relevance':
      return 'number'
    case '-name':
    case '-price':
    case '-createdAt':
      return keys[withoutMinus(ordering)].kind
    default:
      return keys[ordering].kind
  }
}

/** The ordering of those who do not ask for one. */
export function usualOrdering({ search }: ProductFilter): Ordering {
  return wordsOf(search) === undefined ? '-createdAt' : 'relevance'
}

/** A part of the products as shoppers see them, or as the staff does where the filter is theirs. */
export async function listProducts(
  db: Db,
  filter: ProductFilter,
  wanted: PageRequest,
  by: Ordering,
) {
  const words = wordsOf(filter.search)
  const sought = words === undefined ? undefined : await seek(db, words, scopeOf(filter))
  const query = filtered(db, filter, sought).select(productColumns)
  const { rows, next, total } = await readPage(db, query, sortingOf(by, sought, wanted), wanted)
  return { data: rows.map(isForStaff(filter) ? staffProduct : publicProduct), next, total }
}

function sortingOf(ordering: Ordering, sought: Sought | undefined, wanted: PageRequest): Sorting {
  const id = sql`product_id`
  switch (ordering) {
    case 'relevance':
      if (sought === undefined || isByAge(sought, wanted)) {
        return { ...keys.createdAt, id, descending: true }
      }
      return { key: relevance(sought), kind: 'number', id, descending: true }
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
 * name itself, then how much the words say, with names above SKUs above descriptions.
 */
function relevance({ words, meaning }: Sought) {
  return sql`(1000000 * (
    case when regexp_replace(sku, '[^[:alnum:]]', '', 'g')
      = regexp_replace(upper(${words}), '[^[:alnum:]]', '', 'g') then 8 else 0 end
    + case when lower(name) = lower(${words}) then 4 else 0 end
    + ts_rank('{0.1, 0.2, 0.4, 1}', search, ${meaning}::tsquery)
  ))::bigint`
}

/**
 * Words that more products have than this say little about which is meant, and to weigh 17,000 of
 * them takes 100 ms: they come newest first, which an index has ready.
 */
const weighedMax = 1_000
/** Above every relevance, below every time in microseconds. */
const timesFrom = 1e12

/** Whether what is found comes by age; a cursor goes on as its first part has begun. */
function isByAge({ isCommon }: Sought, wanted: PageRequest): boolean {
  const after = 'page' in wanted ? undefined : wanted.after
  return after === undefined ? isCommon : Number(after.key) >= timesFrom
}

type Scope = ReturnType<typeof scopeOf>

/** What can be in a list at all; the words are those of the indexes that shoppers' lists use. */
function scopeOf({ active, deleted }: ProductFilter) {
  if (active === undefined && deleted === undefined) return sql<boolean>`active and not deleted`
  if (active === undefined) return sql<boolean>`deleted = ${deleted}`
  return sql<boolean>`(active = ${active} and deleted = ${deleted ?? false})`
}

function filtered(db: Db, filter: ProductFilter, sought: Sought | undefined) {
  let query = db.selectFrom('products').where(scopeOf(filter))
  const { category, minPrice, maxPrice, inStock, featured } = filter
  if (category !== undefined) query = query.where('category_id', '=', category)
  if (minPrice !== undefined) query = query.where('price_minor', '>=', BigInt(minPrice))
  if (maxPrice !== undefined) query = query.where('price_minor', '<=', BigInt(maxPrice))
  if (inStock === true) query = query.where(sql<boolean>`on_hand > reserved`)
  if (inStock === false) query = query.where(sql<boolean>`on_hand <= reserved`)
  if (featured !== undefined) query = query.where('featured', '=', featured)
  return sought === undefined ? query : query.where(about(sought))
}

function wordsOf(search: string | undefined): string | undefined {
  const words = search?.trim()
  return words === '' ? undefined : words
}

/** What somebody looks for. */
interface Sought {
  words: string
  /** The words as a tsquery: as they were written, or as they were probably meant. */
  meaning: string
  /** Categories with such a name. */
  categories: string[]
  /** Whether very many products have these words. */
  isCommon: boolean
}

/**
 * Finds out what words mean: products with words that begin like all of them, or in a category of
 * such a name. Only where there is none at all, what words that are spelled nearly so would find:
 * beside what was meant, what looks like it is noise. Categories are few and looked up first: a
 * join would keep the indexes of the products from being used.
 */
async function seek(db: Db, words: string, scope: Scope): Promise<Sought> {
  const { rows } = await sql<{ meaning: string | null; categories: string[] }>`
    select
      public.search_query(${words})::text as meaning,
      array(
        select category_id
        from categories
        where not deleted
          and public.search_lexemes(name) @@ public.search_query(${words})
        limit 100
      ) as categories
  `.execute(db)
  const asked = { words, meaning: rows[0]?.meaning ?? '', categories: rows[0]?.categories ?? [] }
  const found = await countSome(db, asked, scope)
  if (found > 0) return { ...asked, isCommon: found > weighedMax }
  const corrected = { ...asked, meaning: await correct(db, words) }
  return { ...corrected, isCommon: (await countSome(db, corrected, scope)) > weighedMax }
}

type Meant = Pick<Sought, 'meaning' | 'categories'>

function about({ meaning, categories }: Meant) {
  const named = sql<boolean>`search @@ ${meaning}::tsquery`
  if (categories.length === 0) return named
  return sql<boolean>`(${named} or category_id = any(${categories}::uuid[]))`
}

async function countSome(db: Db, meant: Meant, scope: Scope): Promise<number> {
  const { rows } = await sql<{ count: bigint }>`
    select count(*) as count from (
      select from products
      where ${scope} and ${about(meant)}
      limit ${weighedMax + 1}
    ) as counted
  `.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/**
 * The words as a tsquery, with those that no product has exchanged for the three that are spelled
 * most like them. A few thousand words are looked through in place of all products.
 */
async function correct(db: Db, words: string): Promise<string> {
  const { rows } = await sql<{ meaning: string | null }>`
    select string_agg(coalesce(near.words, quote_literal(asked.word) || ':*'), ' & ') as meaning
    from regexp_split_to_table(public.plain_words(${words}), ' ') as asked (word)
    left join lateral (
      select '(' || string_agg(quote_literal(alike.word), ' | ') || ')' as words
      from (
        select known.word
        from product_words known
        where known.word % asked.word
        order by similarity(known.word, asked.word) desc, known.word
        limit 3
      ) as alike
      where not exists (
        select from product_words known
        where known.word >= asked.word collate "C"
          and known.word < (asked.word || chr(1114111)) collate "C"
      )
    ) as near on true
    where asked.word <> ''
  `.execute(db)
  return rows[0]?.meaning ?? ''
}
