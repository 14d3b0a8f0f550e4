// A log that holds text which PostgreSQL cannot hold is projected, rebuilt, audited and served.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeAll } from '../../src/commands/core/decoding.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { startOfLog } from '../../src/kit/position.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { decideParked } from '../../src/projections/core/parking.ts'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { findings, wholeLog } from '../support/auditing.ts'
import { aggregates, appendBrokenLog, brokenText, shownText } from '../support/brokenText.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let streams: string[]
let log: RecordedEvent[]
const orderId = '01980000-0000-7000-8000-6f7264657249'

beforeAll(async () => {
  app = await startTestApp()
  streams = await appendBrokenLog(app.back, app.config)
  log = await wholeLog(app.back)
  await waitFor('all that follow the log', async () => {
    const { rows } = await app.back.pool.query<{ late: bigint }>(
      'select count(*) as late from shop.checkpoints where position < $1',
      [await app.back.eventStore.head()],
    )
    return rows[0]?.late === 0n
  })
})
afterAll(() => app?.close())

describe('broken text in every field of every event', () => {
  it('is in the log as it was written', () => {
    const types = new Set(
      log.filter(({ stream }) => streams.includes(stream)).map(each => each.type),
    )
    expect([...types].sort()).toEqual(Object.keys(eventSchemas).sort())
    expect(aggregates.flatMap(({ events }) => Object.keys(events)).sort()).toEqual(
      [...types].sort(),
    )
    const paid = log.find(({ type, stream }) => type === 'OrderPaid' && streams.includes(stream))
    expect(paid?.data).toMatchObject({ reference: brokenText })
  })

  it('parks nothing, for no projection and no reaction', async () => {
    const { rows } = await app.back.pool.query('select name, type, error from shop.parked_events')
    expect(rows).toEqual([])
  })

  it('is shown with the sign for what cannot be shown', async () => {
    const { rows } = await app.back.pool.query(
      `select payment_method, delivery->>'shippingAddress' as address, lines->0->>'name' as line
       from orders where order_id = $1`,
      [orderId],
    )
    const short = shownText.slice(0, 40)
    expect(rows).toEqual([
      { payment_method: short, address: shownText.slice(0, 10), line: shownText },
    ])
    const { rows: index } = await app.back.pool.query(
      'select distinct actor, correlation_id from event_index where stream = any($1)',
      [streams],
    )
    expect(index).toEqual([{ actor: shownText, correlation_id: shownText }])
  })

  it('is rebuilt to equal tables', async () => {
    const { back } = app
    const parts = { ...rebuildLog(back), onProgress: () => undefined }
    const rebuilt = await rebuild(back.db, projections, parts)
    expect(rebuilt.map(({ name, matches }) => [name, matches])).toEqual(
      rebuilt.map(({ name }) => [name, true]),
    )
  })

  it('is found by the audit, and keeps it from finding nothing else', async () => {
    const found = await findings(app.back)
    const texts = found.filter(each => each.startsWith('every text can be shown'))
    expect(texts.length).toBeGreaterThanOrEqual(20)
    expect(texts.join('\n')).toContain(`in ${streams[0]}: text with NUL or broken Unicode`)
    expect(found.filter(each => /equals a fresh one|can be read/.test(each))).toEqual([])
  })

  it.each([
    '/orders',
    `/orders/${orderId}`,
    `/orders/${orderId}/history`,
    '/products',
    '/admin/users',
    '/admin/reports/sales?by=product',
    '/audit/events?limit=100',
    `/audit/orders/${orderId}`,
    `/audit/streams/order-${orderId}`,
  ])('is served: %s', async path => {
    expect((await app.admin.client.get(path)).status).toBe(200)
  })

  it('is exported', async () => {
    const answer = await fetch(`${app.url}/api/audit/events`, {
      headers: { authorization: `Bearer ${app.admin.access}`, accept: 'application/x-ndjson' },
    })
    expect(answer.status).toBe(200)
    const lines = (await answer.text()).trim().split('\n')
    expect(lines).toHaveLength(log.length)
  })

  it('is counted', async () => {
    const items = await decodeAll(app.back.codec, log)
    const replaced = items.filter(item => 'event' in item && item.event.isReplaced)
    expect(replaced).toHaveLength(Object.keys(eventSchemas).length)
  })
})

it('a stream that was parked because of such text can be retried', async () => {
  const { back } = app
  const [orders] = projections.filter(({ name }) => name === 'orders')
  if (orders === undefined) throw new Error('no orders')
  const stream = streams.find(each => each.startsWith('order-')) ?? ''
  const events = log.filter(each => each.stream === stream)
  await back.pool.query('delete from orders where order_id = $1', [orderId])
  await back.pool.query('delete from notifications where order_id = $1', [orderId])
  for (const { position, type } of events) {
    await back.pool.query('insert into shop.parked_events values ($1, $2, $3, $4, $5)', [
      'orders',
      position,
      stream,
      type,
      'unsupported Unicode escape sequence',
    ])
  }
  const decided = await decideParked(back.db, orders, {
    position: events[0]?.position ?? startOfLog,
    decision: { decision: 'retry', reason: null, decidedBy: app.admin.id },
    read: async () => decodeAll(back.codec, events),
  })
  expect(decided).toEqual({ outcome: 'applied', events: events.length, left: 0 })
  expect((await app.admin.client.get(`/orders/${orderId}`)).status).toBe(200)
})
