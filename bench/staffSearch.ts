// Row 8b. Path: staff searches all orders by a name, an order number and an e-mail address, one
// request at a time. Bar: p99 within 50 ms on 1,000,000 orders.
import type { Pool } from '../src/infra/postgres/database.ts'
import type { Bench } from './benchmark.ts'
import { interleave, judge, type Report, roundsFor } from './harness.ts'
import { withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { newAdmin } from './people.ts'

const path = 'staff search of orders'
const ordersACustomer = 10

/** Fills the read models themselves: a search does not depend on how rows got there. */
const insertCustomers = `
  insert into readmodel.customers
    (customer_id, username, profile, roles, registered_at, updated_at, revision)
  select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n,
    jsonb_build_object('firstName', 'Ada', 'lastName', 'Fern' || n,
      'email', 'ada.fern' || n || '@example.com', 'phoneNumber', '+44 113 ' || n),
    '{customer}', now(), now(), 0
  from generate_series(1, $1::integer) n`
const insertOrders = `
  insert into readmodel.orders (
    order_id, order_number, customer_id, currency, total_minor, captured_minor, refunded_minor,
    charges, lines, delivery, timeline, payment_method, placed_at, updated_at, revision, status
  )
  select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
    lpad((n / 1000)::text, 6, '0') || '-' || lpad((n % 1000)::text, 4, '0'),
    ('00000000-0000-4000-9000-' || lpad((1 + n % $2::integer)::text, 12, '0'))::uuid,
    'GBP', 850, 0, 0, '[]', json_build_array(json_build_object('sku', 'LAMP-' || n % 5000,
      'name', 'Lantern', 'quantity', 2, 'productId', gen_random_uuid(),
      'unitPrice', json_build_object('amount', 425, 'currency', 'GBP'),
      'total', json_build_object('amount', 850, 'currency', 'GBP'))),
    json_build_object('shippingAddress', n || ' High Street, Leeds',
      'phoneNumber', '+44 113 ' || n),
    '[]', 'card', now() - n * interval '1 minute', now(), 1, 'pending'
  from generate_series(1, $1::integer) n`

export function staffSearch(bench: Bench): Promise<Report> {
  const orders = bench.quick ? 50_000 : 1_000_000
  const customers = orders / ordersACustomer
  return withHttp(bench, async ({ app, loader }) => {
    const token = await newAdmin(app.back, app.url)
    await fill(bench.database.pool, orders, customers)
    const requests = bench.quick ? 60 : 300
    const candidates = loadCandidates(path, round => {
      const lane = Array.from({ length: requests }, (_, at): Call => {
        const search = encodeURIComponent(words(round * requests + at, { orders, customers }))
        return { method: 'GET', path: `/api/orders?search=${search}`, token }
      })
      return loader.run(path, { url: app.url, lanes: [lane], expects: [200] })
    })
    const measured = await interleave(candidates, roundsFor(bench.quick))
    const p99 = `${path}, p99`
    return {
      name: 'staffSearch',
      measured,
      verdicts: [judge(measured, { row: '8b', path: p99, of: p99, bar: { atMost: 50 } })],
      notes: [`${orders.toLocaleString('en-GB')} orders, no request twice, one connection`],
    }
  })
}

/** Indexes of words are made once the tables are full, as a rebuild makes them. */
async function fill(pool: Pool, orders: number, customers: number): Promise<void> {
  await pool.query(insertCustomers, [customers])
  const index = 'readmodel.orders_by_words'
  const { rows } = await pool.query<{ text: string }>(
    'select pg_get_indexdef($1::regclass) as text',
    [index],
  )
  await pool.query(`drop index ${index}`)
  await pool.query(insertOrders, [orders, customers])
  await pool.query(rows[0]?.text ?? '')
  await pool.query('vacuum analyze readmodel.orders')
  await pool.query('vacuum analyze readmodel.customers')
}

/** What is searched for: a number, a name or an address, in turns. */
function words(at: number, { orders, customers }: { orders: number; customers: number }): string {
  const order = 1 + ((at * 7_919) % orders)
  const customer = 1 + ((at * 7_919) % customers)
  const number = `${Math.floor(order / 1_000)}`.padStart(6, '0')
  const kinds = [
    `${number}-${`${order % 1_000}`.padStart(4, '0')}`,
    `Fern${customer}`,
    `ada.fern${customer}@example.com`,
  ]
  return kinds[at % kinds.length] ?? ''
}
