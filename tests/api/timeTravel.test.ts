// States as they were, compared with values written by hand, also where a stream was brought in.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { newId } from '../../src/commands/core/ids.ts'
import { adjust } from '../../src/domain/stock/stock.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let auditor: Person
beforeAll(async () => {
  app = await startTestApp({ workers: false })
  auditor = await app.person('auditor')
})
afterAll(() => app?.close())

const stockAt = async (productId: string, asOf = '') => {
  const query = asOf === '' ? '' : `?asOf=${asOf}`
  return (await auditor.client.get(`/audit/stock/${productId}${query}`)).body
}

describe('the stock of a product as it was', () => {
  it('names the orders that pieces are kept for, and how many', async () => {
    const { id } = await newProduct(app, { stock: 9 })
    const shopper = await app.person()
    const [one, two] = [await newOrder(shopper, id, 2), await newOrder(shopper, id, 3)]
    const { state, inTimeOrder } = await stockAt(id)
    expect(state).toEqual({
      onHand: 9,
      reserved: { [one.body.orderId]: 2, [two.body.orderId]: 3 },
      reservedTotal: 5,
      deadlines: {
        [one.body.orderId]: expect.any(Number),
        [two.body.orderId]: expect.any(Number),
      },
      settled: [],
    })
    expect(inTimeOrder).toBe(true)
  })

  it('shows the difference of one reservation', async () => {
    const { id } = await newProduct(app, { stock: 9 })
    const { body } = await newOrder(await app.person(), id, 2)
    const diff = await auditor.client.get(`/audit/stock/${id}/diff?from=0`)
    expect(diff.body.differences).toEqual([
      { pointer: `/reserved/${body.orderId}`, to: 2 },
      { pointer: '/reservedTotal', from: 0, to: 2 },
      { pointer: `/deadlines/${body.orderId}`, to: expect.any(Number) },
    ])
  })
})

describe('a stream whose events were not recorded in the order in which they happened', () => {
  let productId = ''
  beforeAll(async () => {
    productId = newId()
    const days: [string, number][] = [
      ['2011-01-01', 10],
      ['2011-01-05', 3],
      ['2011-01-02', 20],
      ['2011-01-04', -5],
      ['2011-01-03', 40],
    ]
    for (const [day, delta] of days) {
      const envelope = systemEnvelope('test', new Date(`${day}T12:00:00Z`))
      await app.back.app.stock.decide(productId, envelope, state =>
        adjust(state, { productId, delta, reason: 'correction' }),
      )
    }
  })

  it.each([
    ['2011-01-01', 10, 0],
    ['2011-01-02', 30, 2],
    ['2011-01-03', 70, 4],
    ['2011-01-04', 65, 4],
    ['2011-01-05', 68, 4],
  ])('has had at the end of %s what had happened by then', async (day, onHand, revision) => {
    const then = await stockAt(productId, `${day}T23:59:59Z`)
    expect(then).toMatchObject({ revision, state: { onHand }, inTimeOrder: false })
  })

  it('counts what was recorded up to a revision, whenever it happened', async () => {
    expect(await stockAt(productId, '1')).toMatchObject({ state: { onHand: 13 } })
    expect(await stockAt(productId, '2')).toMatchObject({
      state: { onHand: 33 },
      inTimeOrder: false,
    })
  })

  it('differs between two days by what happened between them', async () => {
    const query = 'from=2011-01-02T23:00:00Z&to=2011-01-04T23:00:00Z'
    const { body } = await auditor.client.get(`/audit/stock/${productId}/diff?${query}`)
    expect(body.differences).toEqual([{ pointer: '/onHand', from: 30, to: 65 }])
    expect(body.events).toMatchObject([{ revision: 3 }, { revision: 4 }])
  })
})
