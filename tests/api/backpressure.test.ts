// More at once than a process can take is told to come later, and nothing is half done.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { atRest, findings } from '../support/auditing.ts'
import { expectProblem, newProduct } from '../support/goods.ts'
import { type Person, startTestShop, type TestShop } from '../support/testShop.ts'

let shop: TestShop
let person: Person
let productId = ''
beforeAll(async () => {
  shop = await startTestShop({ settings: { COMMANDS_MAX: '4', RATE_LIMITS: 'off' } })
  person = await shop.person()
  productId = (await newProduct(shop, { stock: 1_000 })).id
})
afterAll(() => shop?.close())

const add = () => person.client.post('/cart/items', { productId, quantity: 1 }, { expects: 503 })

describe('more commands at once than there is room for', () => {
  it('are refused with a time to wait, and those that are let in are carried out', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, add))
    const done = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status !== 201)
    expect(done.length).toBeGreaterThanOrEqual(4)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expectProblem(answer, 503, 'request/unavailable')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    const after = done.map(({ body }) => BigInt(body.position)).reduce((a, b) => (a > b ? a : b))
    const cart = await person.client.get('/cart', { after: String(after) })
    expect(cart.body.itemCount).toBe(done.length)
  })

  it('are let in again once the others are done, and leave the books in order', async () => {
    expect((await add()).status).toBe(201)
    await atRest(shop.back)
    expect(await findings(shop.back)).toEqual([])
  })

  it('do not keep anybody from reading', async () => {
    const commands = Array.from({ length: 64 }, add)
    const read = await person.client.get('/products')
    await Promise.all(commands)
    expect(read.status).toBe(200)
  })
})
