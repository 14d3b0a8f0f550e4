// Plugins: what their providers answer is part of the order, and a provider that fails refuses it.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Providers } from '../../src/ports/plugins.ts'
import { atRest, findings, wholeLog } from '../support/auditing.ts'
import { delivery, expectProblem, gbp, newKey, newProduct } from '../support/goods.ts'
import { orderOf } from '../support/payments.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

declare global {
  /** The providers of the plugin of this test; the module reads them at each call. */
  var pluginUnderTest: Required<Pick<Providers, 'promotion' | 'tax' | 'mail'>>
}

const module = `export default {
  name: 'under-test',
  setup: () => ({
    promotion: { unitPrices: order => globalThis.pluginUnderTest.promotion.unitPrices(order) },
    tax: { charges: order => globalThis.pluginUnderTest.tax.charges(order) },
    mail: { send: mail => globalThis.pluginUnderTest.mail.send(mail) },
  }),
}`

const mails: string[] = []
const working = (): typeof pluginUnderTest => ({
  promotion: { unitPrices: () => [] },
  tax: {
    charges: ({ lines, charges }) => {
      const net = [...lines.map(line => line.total), ...charges.map(charge => charge.amount)]
      const tax = Math.round(net.reduce((sum, { amount }) => sum + amount, 0) / 5)
      return [{ code: 'VAT', name: 'VAT 20 %', amount: gbp(tax) }]
    },
  },
  mail: {
    async send({ subject }) {
      mails.push(subject)
      return { accepted: true }
    },
  },
})

let app: TestApp
let ada: Person
let directory: string
beforeAll(async () => {
  globalThis.pluginUnderTest = working()
  directory = await temporaryDirectory()
  const path = join(directory, 'underTest.js')
  await writeFile(path, module)
  app = await startTestApp({
    settings: { PLUGINS: `./examples/plugins/flatRateShipping.ts,${path}` },
  })
  ada = await app.person()
}, 120_000)
afterEach(() => {
  globalThis.pluginUnderTest = working()
})
afterAll(async () => {
  await app?.close()
  await rm(directory, { recursive: true, force: true })
})

interface Placing {
  key?: string
  productId?: string
  expects?: number
}

async function place(price: number, quantity: number, { productId, ...options }: Placing = {}) {
  const id = productId ?? (await newProduct(app, { price: gbp(price) })).id
  const items = [{ productId: id, quantity }]
  const answer = await ada.client.post('/orders', { ...delivery, items }, options)
  return { productId: id, answer, orderId: String(answer.body.orderId) }
}

describe('an order in a shop with plugins', () => {
  it('has the charges of shipping and tax in its total', async () => {
    const { answer, orderId } = await place(1_000, 2)
    expect(answer.body).toMatchObject({ status: 'pending', total: gbp(2_994) })
    const { body } = await ada.client.get(`/orders/${orderId}`, { after: answer.body.position })
    expect(body).toMatchObject({
      total: gbp(2_994),
      charges: [
        { code: 'SHIPPING', amount: gbp(495) },
        { code: 'VAT', amount: gbp(499) },
      ],
    })
  })

  it('has no charge for shipping from the threshold on', async () => {
    const { orderId } = await place(5_000, 1)
    expect((await orderOf(app, orderId)).charges).toMatchObject([{ code: 'VAT' }])
  })

  it('has the prices that a promotion has lowered', async () => {
    globalThis.pluginUnderTest.promotion.unitPrices = ({ lines }) =>
      lines.map(({ productId }) => ({ productId, unitPrice: gbp(900) }))
    const { orderId } = await place(1_000, 2)
    const { lines, total } = await orderOf(app, orderId)
    expect(lines).toMatchObject([{ unitPrice: gbp(900), total: gbp(1_800) }])
    expect(total).toEqual(gbp(1_800 + 495 + 459))
  })

  it('is paid, refunded and told by mail in full, and the books balance', async () => {
    const { answer, orderId } = await place(1_000, 1)
    const paid = await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'card' })
    expect(paid.body).toMatchObject({ status: 'paid' })
    const reason = 'Not needed any more'
    const cancelled = await ada.client.post(`/orders/${orderId}/cancel`, { reason })
    expect(cancelled.status, JSON.stringify(cancelled.body)).toBe(200)
    await waitFor('the refund', async () => (await orderOf(app, orderId)).refunded > 0)
    expect((await orderOf(app, orderId)).refunded).toBe(1_794)
    await atRest(app.back)
    expect(await findings(app.back)).toEqual([])
    expect(mails.join()).toContain(String(answer.body.orderNumber))
  })
})

describe('a provider that does not do what it has to', () => {
  const nonsense: [string, unknown][] = [
    ['nothing', undefined],
    ['a negative amount', [{ code: 'VAT', name: 'VAT', amount: gbp(-1) }]],
    ['another currency', [{ code: 'VAT', name: 'VAT', amount: { amount: 1, currency: 'EUR' } }]],
    ['half a penny', [{ code: 'VAT', name: 'VAT', amount: gbp(0.5) }]],
    ['what cannot be counted', Array(100).fill({ code: 'A', name: 'A', amount: gbp(2 ** 52) })],
  ]
  it.each(nonsense)('and answers %s refuses the order with 502', async (_, charges) => {
    globalThis.pluginUnderTest.tax.charges = () => JSON.parse(JSON.stringify(charges ?? null))
    const before = (await wholeLog(app.back)).length
    const { answer, productId } = await place(1_000, 1, { expects: 502 })
    expectProblem(answer, 502, 'order/provider-invalid')
    const made = (await wholeLog(app.back)).slice(before).map(({ stream }) => stream)
    expect(made.filter(stream => stream.startsWith('order-'))).toEqual([])
    expect((await app.back.app.stock.load(productId)).state.reservedTotal).toBe(0)
  })

  it.each<[string, () => never | Promise<never>]>([
    [
      'throws',
      () => {
        throw new Error('no rates today')
      },
    ],
    ['does not answer within two seconds', () => new Promise(() => undefined)],
  ])('and %s refuses it with 503', async (_, charges) => {
    globalThis.pluginUnderTest.tax.charges = charges
    const { answer, productId } = await place(1_000, 1, { expects: 503 })
    expectProblem(answer, 503, 'order/provider-unavailable')
    expect(answer.headers.get('retry-after')).toBe('1')
    expect((await app.back.app.stock.load(productId)).state.reservedTotal).toBe(0)
  })

  it('and raises a price refuses it with 502', async () => {
    globalThis.pluginUnderTest.promotion.unitPrices = ({ lines }) =>
      lines.map(({ productId }) => ({ productId, unitPrice: gbp(1_001) }))
    expectProblem((await place(1_000, 1, { expects: 502 })).answer, 502, 'order/provider-invalid')
  })

  it('does not keep a repeated request from its first answer', async () => {
    const key = newKey()
    const first = await place(1_000, 1, { key })
    globalThis.pluginUnderTest.tax.charges = () => {
      throw new Error('no rates today')
    }
    const again = await place(1_000, 1, { key, productId: first.productId })
    expect(again.answer.body).toMatchObject({ orderId: first.orderId, total: gbp(1_794) })
  })
})
