// Traces: one command, from its HTTP request to the projections and mails that it leads to.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStream } from '../../src/ports/eventStore.ts'
import { atRest } from '../support/auditing.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { otlpCollector, type Span } from '../support/otlpCollector.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let collector: Awaited<ReturnType<typeof otlpCollector>>
let app: TestApp
let productId = ''
beforeAll(async () => {
  collector = await otlpCollector()
  app = await startTestApp({ settings: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } })
  productId = (await newProduct(app)).id
})
afterAll(async () => {
  await app?.close()
  await collector?.close()
})

const newTrace = () => randomBytes(16).toString('hex')
const clientSpan = 'b7ad6b7169203331'

/** The spans of a trace once there is one of each name. */
function spansOf(traceId: string, names: readonly string[]): Promise<Span[]> {
  return waitFor(`spans ${names.join(', ')}`, () => {
    const spans = collector.spans.filter(span => span.traceId === traceId)
    return names.every(name => spans.some(span => span.name === name)) ? spans : undefined
  })
}

/** The names from a span up to the root. */
function pathOf(spans: readonly Span[], name: string): string[] {
  const path: string[] = []
  let span = spans.find(each => each.name === name)
  while (span !== undefined) {
    path.push(span.name)
    const parent: string | undefined = span.parentSpanId
    span = spans.find(each => each.spanId === parent)
  }
  return path
}

const route = 'POST /api/orders/:orderId/pay'
const command = [`command PayOrder`, route]

describe('a command that comes with a traceparent', () => {
  it('is followed through its append into projections and the mail, in one trace', async () => {
    const person = await app.person()
    const { orderId } = (await newOrder(person, productId)).body
    const traceId = newTrace()
    await person.client.post(`/orders/${orderId}/pay`, undefined, {
      headers: { traceparent: `00-${traceId}-${clientSpan}-01` },
    })
    const spans = await spansOf(traceId, [route, 'project orders', 'mail order-paid'])
    expect(pathOf(spans, 'project orders')).toEqual(['project orders', 'append order', ...command])
    expect(pathOf(spans, 'project sales')).toEqual(['project sales', 'append order', ...command])
    expect(pathOf(spans, 'mail order-paid')).toEqual([
      'mail order-paid',
      'append order',
      ...command,
    ])
    expect(spans.find(({ name }) => name === route)?.parentSpanId).toBe(clientSpan)
    expect([...collector.paths]).toEqual(['/v1/traces'])
  })

  it('says nothing about people in any of its spans', async () => {
    const person = await app.person()
    await newOrder(person, productId)
    await atRest(app.back)
    await waitFor('the spans', () => collector.spans.some(({ name }) => /^mail /.test(name)))
    const said = JSON.stringify(collector.spans)
    expect(said).not.toMatch(/High Street|example\.com|\+44/)
    expect(said).not.toContain(person.username)
  })
})

describe('a command without a traceparent', () => {
  it('begins a trace, whose id is the correlation of its events', async () => {
    const person = await app.person()
    const { orderId } = (await newOrder(person, productId)).body
    let correlationId = ''
    for await (const event of readStream(app.back.eventStore, `order-${orderId}`)) {
      correlationId = String(event.metadata.correlationId)
      break
    }
    const names = ['POST /api/orders', 'project orders']
    const spans = await spansOf(correlationId.replaceAll('-', ''), names)
    const root = spans.find(({ name }) => name === 'POST /api/orders')
    expect(root?.parentSpanId ?? '').toBe('')
    expect(pathOf(spans, 'project orders').at(-1)).toBe('POST /api/orders')
  })

  it('answers as if nobody looked while the collector is away', async () => {
    await collector.close()
    const person = await app.person()
    const order = await newOrder(person, productId)
    expect(order.status).toBe(201)
  })
})
