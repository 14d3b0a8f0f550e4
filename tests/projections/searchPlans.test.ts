// Listings that are not in the cache: the database finds them by indexes, not by reading all.
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  listProducts,
  type Ordering,
  type ProductFilter,
} from '../../src/projections/catalogue/productListing.ts'
import type { PageRequest } from '../../src/projections/core/keyset.ts'
import type { Tables } from '../../src/projections/core/tables.ts'
import { listOrders } from '../../src/projections/order/orderQueries.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

const fill = `
  insert into products (
    product_id, sku, name, description, price_minor, currency, category_id, featured, active,
    deleted, on_hand, reserved, revision, created_at, updated_at
  )
  select gen_random_uuid(), 'P-' || n,
    case when n % 100 = 0 then 'Whistling kettle ' else 'Thing ' end || word,
    'About ' || word || '.', n, 'GBP',
    ('00000000-0000-4000-8000-' || lpad((n % 200)::text, 12, '0'))::uuid, n % 50 = 0, true,
    false, 5, 0, 0, now() - n * interval '1 minute', now()
  from generate_series(1, 20000) as n,
    lateral (select translate(md5(n::text), '0123456789', 'ghijklmnop') as word) as words`

let database: TestDatabase
let pool: pg.Pool
let db: Kysely<Tables>
const asked: { sql: string; parameters: readonly unknown[] }[] = []
beforeAll(async () => {
  database = await testDatabase()
  const options = '-c search_path=readmodel,shop,public'
  pool = new pg.Pool({ connectionString: database.url, options, max: 2 })
  db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    log({ query }) {
      asked.push(query)
    },
  })
  await pool.query(fill)
  await pool.query(`
    insert into product_words
    select distinct word from products, spelled_words(name || ' ' || description) as word`)
  await pool.query('vacuum analyze products')
  await pool.query('vacuum analyze product_words')
}, 60_000)
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

const firstTen = { after: undefined, limit: 10 }

/** The plans of all that the database is asked for a listing. */
async function plansOf(filter: ProductFilter, by: Ordering, part: PageRequest = firstTen) {
  asked.length = 0
  const { data } = await listProducts(db, filter, part, by)
  const plans: string[] = []
  for (const { sql, parameters } of [...asked]) {
    const { rows } = await pool.query(`explain ${sql}`, [...parameters])
    plans.push(rows.map(row => row['QUERY PLAN']).join('\n'))
  }
  return { data, plan: plans.join('\n\n') }
}

const fillOrders = `
  insert into orders (
    order_id, order_number, customer_id, status, lines, charges, total_minor, captured_minor,
    refunded_minor, currency, country, delivery, payment_method, timeline, revision, placed_at,
    updated_at
  )
  select gen_random_uuid(), upper(substr(word, 1, 5) || '-' || substr(word, 6, 5)),
    ('00000000-0000-4000-8000-' || lpad((n % 5000)::text, 12, '0'))::uuid, 'paid',
    json_build_array(json_build_object('sku', 'P-' || n, 'quantity', 1)), '[]', 1, 1, 0, 'GBP',
    'FR', json_build_object('shippingAddress', word || ' Dupont', 'phoneNumber', n::text), 'card',
    '[]', 0, now() - n * interval '1 minute', now()
  from generate_series(1, 20000) as n,
    lateral (select translate(md5(n::text), '0123456789', 'ghijklmnop') as word) as words`

describe('an order', () => {
  it('is found among many by indexes', async () => {
    await pool.query(fillOrders)
    await pool.query(`
      insert into customers (customer_id, username, profile, roles, disabled, erased, revision,
        registered_at, updated_at)
      select distinct customer_id, 'u' || md5(customer_id::text), '{}'::jsonb, '{customer}'::text[],
        false, false, 0, now(), now()
      from orders`)
    await pool.query('vacuum analyze orders')
    await pool.query('vacuum analyze customers')
    const { rows } = await pool.query('select order_number, order_id from orders limit 1')
    asked.length = 0
    const filter = { search: rows[0].order_number, byCustomer: true }
    const { data } = await listOrders(db, filter, { page: 1, pageSize: 10 })
    expect(data.map(({ id }) => id)).toEqual([rows[0].order_id])
    for (const { sql, parameters } of [...asked]) {
      const { rows: lines } = await pool.query(`explain ${sql}`, [...parameters])
      const plan = lines.map(line => line['QUERY PLAN']).join('\n')
      expect(plan).not.toMatch(/Seq Scan on (orders|customers)\b/)
    }
  })
})

const category = '00000000-0000-4000-8000-000000000007'
const looks: [string, ProductFilter, Ordering, string][] = [
  ['words', { search: 'kettle' }, 'relevance', 'products_by_search'],
  ['a misspelled word', { search: 'kettel' }, 'relevance', 'product_words_alike'],
  ['words that all have', { search: 'about' }, 'relevance', 'products_by_age'],
  ['a category', { category }, 'name', 'products_by_category_name'],
  ['a category, the dearest first', { category }, '-price', 'products_by_category'],
  ['a category, the newest first', { category }, '-createdAt', 'products_by_category_age'],
  ['what is left of a category', { category, inStock: true }, 'price', 'products_by_category'],
  ['what is featured', { featured: true }, '-createdAt', 'products_featured'],
  ['the lowest prices', { inStock: true }, 'price', 'products_by_price'],
  ['a range of prices', { minPrice: 50, maxPrice: 90 }, 'name', 'products_by_price'],
]

describe('a listing by', () => {
  it.each(looks)('%s goes by an index', async (_, filter, by, index) => {
    const { data, plan } = await plansOf(filter, by)
    expect(data.length).toBeGreaterThan(0)
    expect(plan).toContain(index)
    expect(plan).not.toMatch(/Seq Scan on products\b/)
    expect(plan).not.toContain('Seq Scan on product_words')
  })
})

describe('how many there are', () => {
  it.each([
    ['in a range of prices', { minPrice: 500, maxPrice: 15_000 }, 'products_by_price'],
    ['that are featured', { featured: true, minPrice: 500 }, 'products_featured'],
  ])('%s is counted by an index alone', async (_, filter, index) => {
    const { plan } = await plansOf(filter, 'name', { page: 1, pageSize: 10 })
    expect(plan).toMatch(new RegExp(`Aggregate[^]*Index Only Scan using ${index}\\b`))
  })
})
