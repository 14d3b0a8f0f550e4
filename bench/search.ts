// Row 8. Path: product listings that are not in the cache, over HTTP, one in flight, from 100,000
// products: by filters, and by a search for a word that is spelled wrongly. Bars: p99 within 15 ms,
// and within 40 ms.
import type { Pool } from '../src/infra/postgres/database.ts'
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'

const count = 100_000
const filters = 'listing by filters, not cached'
const typo = 'search with a typo, not cached'
const things = ['kettle', 'lantern', 'blanket', 'notebook', 'teapot', 'cushion', 'trowel', 'puzzle']
const materials = ['copper', 'walnut', 'linen', 'porcelain', 'bamboo', 'granite', 'merino', 'amber']
const wrong = ['kettel', 'lantren', 'blnaket', 'notebok', 'taepot', 'cushoin', 'trowle', 'puzzel']

/** Fills the read model itself: what a listing costs does not depend on how rows got there. */
const insert = `
  insert into readmodel.products (
    product_id, sku, name, description, price_minor, currency, category_id, featured, active,
    deleted, on_hand, reserved, revision, created_at, updated_at
  )
  select gen_random_uuid(), 'P-' || n, initcap(($2::text[])[1 + n / 8 % 8]) || ' '
      || ($1::text[])[1 + n % 8] || ' ' || n,
    'Made of ' || ($2::text[])[1 + n / 64 % 8] || ' for the ' || ($1::text[])[1 + n / 512 % 8],
    100 + n * 7919 % 90000, 'GBP',
    ('00000000-0000-4000-8000-' || lpad((n % 200)::text, 12, '0'))::uuid, n % 50 = 0, true,
    false, n % 20, n % 3, 0, now() - n * interval '1 minute', now()
  from generate_series(1, $3::integer) n`

/** What the catalogue's projection would have learned from them. */
const learn = `
  insert into readmodel.product_words
  select distinct word
  from readmodel.products, public.spelled_words(name || ' ' || description) as word
  on conflict do nothing`

export function search(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    await fill(bench.database.pool)
    const measured = await interleave(candidatesOf(http, bench.quick), roundsFor(bench.quick))
    const p99 = (name: string) => `${name}, p99`
    return {
      name: 'search',
      measured,
      verdicts: [
        judge(measured, { row: 8, path: p99(filters), of: p99(filters), bar: { atMost: 15 } }),
        judge(measured, { row: 8, path: p99(typo), of: p99(typo), bar: { atMost: 40 } }),
      ],
      notes: [`${count.toLocaleString('en-GB')} products, no request twice, one connection`],
    }
  })
}

async function fill(pool: Pool): Promise<void> {
  await pool.query(insert, [things, materials, count])
  await pool.query(learn)
  await pool.query('vacuum analyze readmodel.products')
  await pool.query('vacuum analyze readmodel.product_words')
}

function candidatesOf({ app, loader }: HttpBench, quick: boolean): Candidate[] {
  const requests = quick ? 30 : 200
  const send = (name: string, paths: (index: number) => string) => (round: number) => {
    const lane = Array.from({ length: requests }, (_, index): Call => {
      return { method: 'GET', path: `/api/products?${paths(round * requests + index)}` }
    })
    return loader.run(name, { url: app.url, lanes: [lane], expects: [200] })
  }
  return [
    ...loadCandidates(filters, send(filters, filterQuery)),
    ...loadCandidates(typo, send(typo, typoQuery)),
  ]
}

/** No two of them are the same: the lowest price differs. */
function filterQuery(index: number): string {
  const ordering = ['name', '-price', 'price', '-createdAt'][index % 4]
  const category = `00000000-0000-4000-8000-${String(index % 200).padStart(12, '0')}`
  const shapes = [
    `inStock=true&ordering=${ordering}`,
    `category=${category}&inStock=true&ordering=${ordering}`,
    `featured=true&ordering=${ordering}`,
    `maxPrice=${40_000 + index}&ordering=${ordering}`,
  ]
  return `minPrice=${100 + index}&${shapes[Math.floor(index / 4) % shapes.length]}`
}

function typoQuery(index: number): string {
  return `search=${wrong[index % wrong.length]}&minPrice=${100 + index}`
}
