// Metrics as Prometheus reads them, from a shop at work; and the dashboard that shows them.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import Type from 'typebox'
import { Parse } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { addSources, createMetrics } from '../../src/infra/telemetry/metrics.ts'
import { projections } from '../../src/projections/index.ts'
import { queueNames } from '../../src/workers/jobs/jobQueue.ts'
import { atRest } from '../support/auditing.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { callBack } from '../support/payments.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const Panel = Type.Object({
  title: Type.String(),
  type: Type.String(),
  description: Type.Optional(Type.String()),
  targets: Type.Optional(Type.Array(Type.Object({ expr: Type.String() }))),
})
const Dashboard = Type.Object({ title: Type.String(), panels: Type.Array(Panel) })
const dashboard = Parse(
  Dashboard,
  JSON.parse(
    await readFile(new URL('../../deploy/grafana/orderstream.json', import.meta.url), 'utf8'),
  ),
)
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
const asked = [
  ...new Set(queries.flatMap(expr => expr.match(/\b(orderstream|nodejs)_\w+/g) ?? [])),
].sort()

let app: TestApp
let url = ''
beforeAll(async () => {
  const port = await freePort()
  app = await startTestApp({ settings: { METRICS_PORT: String(port) } })
  url = `http://127.0.0.1:${port}/metrics`
  const product = await newProduct(app, { name: 'Counted lantern' })
  const person = await app.person()
  const order = await newOrder(person, product.id)
  await person.client.post(`/orders/${order.body.id}/pay`)
  await atRest(app.back)
  for (let time = 0; time < 2; time += 1) await app.anyone.get('/products?search=counted')
})
afterAll(() => app?.close())

/** Every sample by name, with its labels and its value. */
async function samples() {
  const lines = (await (await fetch(url)).text()).split('\n')
  return lines.flatMap(line => {
    const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    return name === '' ? [] : [{ name, labels, value: Number(value) }]
  })
}

async function sampled(name: string, ...labels: string[]): Promise<number> {
  const found = (await samples()).filter(
    sample => sample.name === name && labels.every(label => sample.labels.includes(label)),
  )
  return found.reduce((sum, { value }) => sum + value, 0)
}

describe('a shop at work', () => {
  it('counts answers by route pattern, and no address', async () => {
    const ours = ['method="POST"', 'route="/api/orders/:orderId/pay"', 'status="200"']
    expect(await sampled('orderstream_http_request_seconds_count', ...ours)).toBe(1)
    const routes = (await samples()).map(({ labels }) => labels).join('\n')
    expect(routes).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}/)
  })

  it('counts events that each projection has taken in', async () => {
    for (const name of ['orders', 'catalogue', 'mailOutbox']) {
      const label = `projection="${name}"`
      expect(await sampled('orderstream_projection_events_total', label)).toBeGreaterThan(0)
      expect(await sampled('orderstream_projection_batch_seconds_count', label)).toBeGreaterThan(0)
    }
  })

  it('says of every projection how far behind it is, in positions and in seconds', async () => {
    const known = (await samples()).filter(
      ({ name }) => name === 'orderstream_projection_lag_events',
    )
    expect(known.length).toBeGreaterThanOrEqual(projections.length)
    await waitFor('no lag', async () => (await sampled('orderstream_projection_lag_events')) === 0)
    expect(await sampled('orderstream_projection_lag_seconds')).toBe(0)
    expect(await sampled('orderstream_projection_parked_events')).toBe(0)
  })

  it('counts appends with their size', async () => {
    expect(await sampled('orderstream_append_seconds_count')).toBeGreaterThan(3)
    const events = await sampled('orderstream_append_batch_events_sum')
    expect(events).toBeGreaterThan(await sampled('orderstream_append_batch_events_count'))
    expect(events).toBeLessThanOrEqual(Number(String(await app.back.eventStore.head())))
  })

  it('counts hits and misses of the cached listings', async () => {
    const listing = 'cache="listing"'
    expect(await sampled('orderstream_cache_requests_total', listing, 'result="hit"')).toBe(1)
    expect(await sampled('orderstream_cache_requests_total', listing, 'result="miss"')).toBe(1)
  })

  it('counts payments and mails', async () => {
    const captured = ['kind="charge"', 'result="captured"']
    expect(await sampled('orderstream_payments_total', ...captured)).toBe(1)
    const sent = ['template="order-paid"', 'result="sent"']
    expect(await sampled('orderstream_mails_total', ...sent)).toBe(1)
  })

  it('says how many disputes and findings wait for somebody', async () => {
    const name = 'orderstream_payment_cases_open'
    const open = async (kind: string) => sampled(name, `kind="${kind}"`)
    expect([await open('dispute'), await open('finding')]).toEqual([0, 0])
    const about = { orderId: randomUUID(), amount: 425, currency: 'GBP', reference: 're-1' }
    await callBack(app, { type: 'refund.made', ...about })
    const { rows } = await app.back.pool.query('select order_id from shop.simulated_payments')
    const orderId = String(rows[0]?.order_id)
    await callBack(app, { type: 'dispute.opened', ...about, orderId, reference: 'du-1' })
    await waitFor(
      'both',
      async () => (await open('dispute')) === 1 && (await open('finding')) === 1,
    )
  })

  it('says of every queue how much waits in it', async () => {
    const known = (await samples()).filter(({ name }) => name === 'orderstream_queue_jobs')
    const queues = new Set(known.map(({ labels }) => /queue="([\w-]+)"/.exec(labels)?.[1]))
    expect([...queues].sort()).toEqual([...queueNames].sort())
  })

  it('says how many mails wait, whatever the jobs are that send them', async () => {
    const { pool } = app.back
    const mail = ['01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002']
    // Claimed for an hour, so that nobody sends it meanwhile.
    await pool.query(
      `insert into shop.mails (event_id, template, order_id, claimed_until)
        values ($1, 'order-paid', $2, now() + interval '1 hour')`,
      mail,
    )
    const waiting = () => sampled('orderstream_mails_waiting')
    await waitFor('one mail that waits', async () => (await waiting()) === 1)
    await pool.query('delete from shop.mails where event_id = $1', mail.slice(0, 1))
    await waitFor('none', async () => (await waiting()) === 0)
  })

  it('is watched on a port of its own alone', async () => {
    expect((await fetch(`${app.url}/metrics`)).status).toBe(404)
    expect((await fetch(url.replace('/metrics', '/healthz'))).status).toBe(404)
  })
})

describe('times of requests', () => {
  it('are a histogram by method, route and status', async () => {
    const { registry, metrics } = createMetrics()
    const on = { method: 'GET', route: '/a/:id', status: 200 }
    for (const seconds of [0.0004, 0.001, 0.002, 99]) metrics.request(on, seconds)
    metrics.request({ ...on, status: 404 }, 0.5)
    const text = await registry.metrics()
    const lines = text.split('\n').filter(line => /^orderstream_http_request_\S+ \S+$/.test(line))
    const found = (name: string, labels: string) =>
      lines.find(line => line.startsWith(`${name}{method="GET",route="/a/:id",${labels}}`))
    const bucket = 'orderstream_http_request_seconds_bucket'
    expect(found(bucket, 'status="200",le="0.0005"')).toMatch(/ 1$/)
    expect(found(bucket, 'status="200",le="0.001"')).toMatch(/ 2$/)
    expect(found(bucket, 'status="200",le="10"')).toMatch(/ 3$/)
    expect(found(bucket, 'status="200",le="+Inf"')).toMatch(/ 4$/)
    expect(found('orderstream_http_request_seconds_count', 'status="200"')).toMatch(/ 4$/)
    expect(found('orderstream_http_request_seconds_sum', 'status="404"')).toMatch(/ 0\.5$/)
  })
})

describe('a process whose database and Redis are away', () => {
  it('goes on telling what it has counted itself', async () => {
    const { registry, metrics } = createMetrics()
    const away = () => Promise.reject(new Error('away'))
    addSources(registry, { projections: away, queues: away, mails: away, paymentCases: away })
    metrics.mail('order-paid', 'failed')
    const text = await registry.metrics()
    expect(text).toContain('orderstream_mails_total{template="order-paid",result="failed"} 1')
    expect(text).not.toMatch(/^orderstream_queue_jobs\{/m)
    expect(text).not.toMatch(/^orderstream_mails_waiting /m)
  })
})

describe('the dashboard', () => {
  it('asks for nothing that is not exported', async () => {
    const text = await (await fetch(url)).text()
    const families = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    )
    expect(asked.length).toBeGreaterThan(12)
    expect(asked.filter(name => !families.includes(name))).toEqual([])
  })

  it('shows everything of ours that is exported', async () => {
    const text = await (await fetch(url)).text()
    const exported = [...text.matchAll(/^# TYPE (orderstream_\w+) /gm)].map(([, name = '']) => name)
    const shown = exported.filter(name => asked.some(query => query.startsWith(name)))
    expect(shown).toEqual(exported)
  })

  it('says of every panel what it shows', () => {
    expect(panels.filter(({ description = '' }) => description.length < 10)).toEqual([])
  })
})
