// Accounts that have been closed take no more commands, whatever a process still believes of them.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCurrentRoles } from '../../src/api/http/currentRoles.ts'
import { addToCart } from '../../src/commands/cart/cart.ts'
import { type Command, execute } from '../../src/commands/core/command.ts'
import { changeUser, eraseCustomer } from '../../src/commands/customer/customer.ts'
import { cancelOrder, changeOrderDelivery, payOrder } from '../../src/commands/order/order.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import type { Actor } from '../../src/domain/kernel/types.ts'
import { submit } from '../../src/domain/order/orderDecisions.ts'
import { newProduct } from '../support/goods.ts'
import { sampleId } from '../support/samples.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

function envelopeOf(actor: Actor) {
  const commandId = randomUUID()
  const ids = { commandId, correlationId: commandId, causationId: commandId }
  return { ...ids, actor, at: new Date() }
}

const actorOf = ({ id }: Person): Actor => ({ role: 'customer', id, roles: ['customer'] })
const delivery = { shippingAddress: '1 High Street, London', phoneNumber: '020 7946 0000' }

/** Ways to close an account, behind the back of the process that is asked afterwards. */
const closings: [string, (person: Person) => Promise<unknown>][] = [
  [
    'erased',
    person =>
      execute(app.back.app, eraseCustomer, { customerId: person.id }, envelopeOf(actorOf(person))),
  ],
  [
    'locked out',
    ({ id: customerId }) =>
      execute(
        app.back.app,
        changeUser,
        { customerId, disabled: true },
        envelopeOf({ role: 'system', id: 'test' }),
      ),
  ],
]

it.each(closings)(
  'somebody who has been %s can do nothing to carts and orders',
  async (_, close) => {
    const person = await app.person()
    const product = await newProduct(app)
    const items = [{ productId: product.id, quantity: 1 }]
    const placed = await person.client.post('/orders', { ...delivery, items })
    const orderId = placed.body.id
    await close(person)
    const head = await app.back.eventStore.head()
    const asked: [Command<never>, object][] = [
      [addToCart as never, { productId: product.id, quantity: 1 }],
      [placeOrder as never, { ...delivery, items }],
      [payOrder as never, { orderId }],
      [cancelOrder as never, { orderId }],
      [changeOrderDelivery as never, { orderId, ...delivery, shippingAddress: 'Elsewhere' }],
    ]
    for (const [command, input] of asked) {
      const answer = await execute(
        app.back.app,
        command,
        input as never,
        envelopeOf(actorOf(person)),
      )
      expect(isRejection(answer) && answer.rejected).toBe('command/forbidden')
    }
    for await (const event of app.back.eventStore.readAll({ after: head })) {
      expect(event.stream).not.toMatch(/^(cart|order)-/)
    }
  },
)

it('an order that was in the log before its buyer was erased is not placed after it', async () => {
  const person = await app.person()
  const product = await newProduct(app)
  const { app: open } = app.back
  const orderId = randomUUID()
  const unitPrice = { amount: 100, currency: 'GBP' }
  const line = { productId: product.id, sku: 'X-1', name: 'X', quantity: 1, unitPrice }
  const submission = {
    orderId,
    orderNumber: '00000-00001',
    customerId: person.id,
    cartId: null,
    lines: [{ ...line, total: unitPrice }],
    charges: [],
    total: unitPrice,
    country: null,
    delivery,
    paymentMethod: 'card',
  }
  const envelope = envelopeOf(actorOf(person))
  await execute(open, eraseCustomer, { customerId: person.id }, envelopeOf(actorOf(person)))
  // As a process leaves it that dies, or is slow, between its two steps.
  await open.orders.decide(orderId, envelope, state => submit(state, submission))
  await waitFor('the end of it', async () => {
    const { state } = await open.orders.load(orderId)
    return state.status === 'rejected'
  })
  // What was reserved is given back by the next step.
  await waitFor('its stock to be free', async () => {
    const { state } = await open.stock.load(product.id)
    return state.reserved.size === 0
  })
})

it('a closed account is noticed at once, an ended session when looked at', async () => {
  const registered = { status: 'registered', disabled: false, roles: ['customer'] }
  const closed = { ...registered, disabled: true }
  const states = { here: registered, inLog: registered }
  let isOpen = true
  // It needs no more of a shop than this.
  const customers = { load: async () => ({ state: states.inLog }), cached: () => states.here }
  const { currentRoles } = createCurrentRoles({ customers } as never, {
    isGood: async () => isOpen,
  })
  const look = (sessionId: string) => {
    const roles = ['customer'] as const
    return currentRoles({ customerId: sampleId(5), sessionId, roles })
  }
  expect(await look('one')).toEqual(['customer'])
  Object.assign(states, { here: closed, inLog: closed })
  expect(await look('one')).toBeUndefined()
  Object.assign(states, { here: registered, inLog: registered })
  isOpen = false
  expect(await look('another')).toBeUndefined()
})
