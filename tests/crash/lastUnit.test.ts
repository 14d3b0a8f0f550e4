// The last piece is sold once, however many want it at the same moment.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../support/apiClient.ts'
import { atRest, findings } from '../support/auditing.ts'
import { delivery, expectProblem, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let people: Person[] = []
beforeAll(async () => {
  app = await startTestApp()
  people = await Promise.all(Array.from({ length: 16 }, () => app.person()))
})
afterAll(() => app?.close())

const buy = (person: Person, productId: string) =>
  person.client.post('/orders', { ...delivery, items: [{ productId, quantity: 1 }] })

function expectOneWinner(answers: readonly Answer[], productId: string) {
  const losers = answers.filter(answer => answer.status !== 201)
  expect(losers).toHaveLength(answers.length - 1)
  for (const loser of losers) {
    const { short } = expectProblem(loser, 409, 'order/out-of-stock')
    expect(short).toEqual([{ productId, wanted: 1, available: 0 }])
  }
}

async function expectSoldOut(productId: string, after: string) {
  const { body } = await app.admin.client.get(`/products/${productId}/stock`, { after })
  expect(body).toMatchObject({ onHand: 1, reserved: 1, available: 0 })
}

describe('one last piece', () => {
  it('goes to one of two shoppers, 50 times', async () => {
    const [ada, bob] = people
    if (ada === undefined || bob === undefined) throw new Error('nobody is there')
    for (let round = 0; round < 50; round += 1) {
      const { id } = await newProduct(app, { stock: 1 })
      const answers = await Promise.all([buy(ada, id), buy(bob, id)])
      expectOneWinner(answers, id)
      const winner = answers.find(answer => answer.status === 201)
      await expectSoldOut(id, winner?.body.position ?? '')
    }
  }, 60_000)

  it('goes to one of 64 who ask at once, 5 times', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id } = await newProduct(app, { stock: 1 })
      const crowd = [...people, ...people, ...people, ...people]
      const answers = await Promise.all(crowd.map(person => buy(person, id)))
      expectOneWinner(answers, id)
    }
  }, 60_000)

  it('of a cart goes to one of two whose carts both hold it', async () => {
    const [ada, bob] = people
    if (ada === undefined || bob === undefined) throw new Error('nobody is there')
    const { id } = await newProduct(app, { stock: 1 })
    for (const { client } of [ada, bob]) {
      expect((await client.post('/cart/items', { productId: id, quantity: 1 })).status).toBe(201)
    }
    const answers = await Promise.all([ada, bob].map(each => each.client.post('/orders', delivery)))
    expectOneWinner(answers, id)
  })

  it('leaves books that are in order', async () => {
    await atRest(app.back)
    expect(await findings(app.back)).toEqual([])
  }, 60_000)
})
