// What customers and guests ask for: carts, orders, payments.
import { derivedId } from '../../../src/commands/core/ids.ts'
import {
  type Asked,
  type FollowUp,
  hot,
  type Known,
  type Maker,
  orderIdOf,
  pick,
  soonMs,
} from './known.ts'

const guests = ['guest-1', 'guest-2']
const delivery = { shippingAddress: '1 High Street, London', phoneNumber: '020 7946 0000' }

function shopper({ random, customers }: Known): string {
  return (random.next() < 0.85 ? pick(random, customers) : pick(random, guests)) ?? 'ann'
}

/** An order of somebody, most likely one of the newest. */
export function someOrder({ random, orders }: Known) {
  return pick(random, random.next() < 0.7 ? orders.slice(-4) : orders)
}

/** Mostly one of which so many of the usual steps have been asked for. */
function orderAfter(known: Known, steps: number) {
  const { random, orders } = known
  const waiting = orders.filter(order => order.steps === steps)
  return random.next() < 0.7 && waiting.length > 0 ? pick(random, waiting) : someOrder(known)
}

const methods = ['card', 'card', 'card', 'card_late', 'card_needs_action', 'card_declined']

function paying({ random }: Known, orderId: string, by: string): Asked {
  return { name: 'PayOrder', input: { orderId, paymentMethod: pick(random, methods) }, by }
}

/** Now and then at the very moment at which the order runs out. */
function payAfterMs(known: Known): number {
  const { random, expiryMs } = known
  return random.next() < 0.25 ? expiryMs + random.between(-300, 1_500) : soonMs(known)
}

function cancelling(orderId: string, by: string): Asked {
  return { name: 'CancelOrder', input: { orderId, reason: 'Changed my mind.' }, by }
}

function refunding({ random }: Known, orderId: string): Asked {
  const money = { amount: random.between(1, 300), currency: 'GBP' }
  const some = random.next() < 0.6 ? { amount: money } : {}
  return { name: 'RefundOrder', input: { orderId, reason: 'Damaged.', ...some }, by: 'admin' }
}

function moving(orderId: string, status: string): Asked {
  return { name: 'UpdateOrderStatus', input: { orderId, status }, by: 'admin' }
}

export const shopping: readonly Maker[] = [
  {
    name: 'AddToCart',
    weight: 16,
    make(known) {
      const productId = hot(known)
      if (productId === undefined) return undefined
      return { input: { productId, quantity: known.random.between(1, 3) }, by: shopper(known) }
    },
  },
  {
    name: 'ChangeCartItem',
    weight: 3,
    make(known) {
      const productId = hot(known)
      if (productId === undefined) return undefined
      return { input: { productId, quantity: known.random.between(1, 4) }, by: shopper(known) }
    },
  },
  {
    name: 'RemoveFromCart',
    weight: 2,
    make(known) {
      const productId = hot(known)
      return productId === undefined ? undefined : { input: { productId }, by: shopper(known) }
    },
  },
  { name: 'ClearCart', weight: 1, make: known => ({ input: {}, by: shopper(known) }) },
  {
    name: 'SignIn',
    weight: 2,
    make({ random, customers }) {
      // The token of a cart is in one browser.
      const nth = random.between(0, guests.length - 1)
      return { input: { guest: guests[nth] }, by: customers[nth % customers.length] ?? 'ann' }
    },
  },
  {
    name: 'PlaceOrder',
    weight: 24,
    make(known) {
      const { random, customers, products } = known
      const by = pick(random, customers) ?? 'ann'
      const paymentMethod = random.next() < 0.1 ? 'invoice' : random.pick(['card', 'card_late'])
      const productId = hot(known)
      const other = pick(random, products)
      if (random.next() < 0.5 || productId === undefined || other === undefined) {
        return { input: { ...delivery, paymentMethod, acceptPrices: true }, by }
      }
      const items = [...new Set([productId, other].slice(0, random.between(1, 2)))]
      const wanted = items.map(id => ({ productId: id, quantity: random.between(1, 2) }))
      return { input: { ...delivery, paymentMethod, items: wanted }, by }
    },
    learn({ orders }, commandId, { by }) {
      orders.push({ orderId: orderIdOf(commandId), by, steps: 0 })
    },
    next(known, commandId, { by }) {
      const { random } = known
      const step = random.next()
      if (step < 0.3) return []
      const orderId = orderIdOf(commandId)
      if (step < 0.4) return [{ ...cancelling(orderId, by), afterMs: soonMs(known) }]
      return [{ ...paying(known, orderId, by), afterMs: payAfterMs(known) }]
    },
  },
  {
    name: 'PayOrder',
    weight: 14,
    make(known) {
      const order = orderAfter(known, 0)
      if (order === undefined) return undefined
      const { orderId, by } = order
      order.steps = Math.max(order.steps, 1)
      return paying(known, orderId, by)
    },
    next(known, _, { by, input }) {
      const { random } = known
      const orderId = String(input.orderId)
      const options: (() => Asked)[] = [
        () => refunding(known, orderId),
        () => cancelling(orderId, by),
        () => moving(orderId, 'shipped'),
        () => paying(known, orderId, by),
      ]
      return options.flatMap((option): FollowUp[] =>
        random.next() < 0.25 ? [{ ...option(), afterMs: soonMs(known) }] : [],
      )
    },
  },
  {
    name: 'CancelOrder',
    weight: 5,
    make(known) {
      const order = someOrder(known)
      if (order === undefined) return undefined
      return cancelling(order.orderId, known.random.next() < 0.3 ? 'support' : order.by)
    },
  },
  {
    name: 'ChangeDelivery',
    weight: 2,
    make(known) {
      const order = someOrder(known)
      if (order === undefined) return undefined
      const shippingAddress = `${known.random.between(2, 99)} Low Street, Leeds`
      return { input: { orderId: order.orderId, shippingAddress }, by: order.by }
    },
  },
  {
    name: 'ArchiveOrder',
    weight: 2,
    make(known) {
      const order = someOrder(known)
      return order && { input: { orderId: order.orderId }, by: order.by }
    },
  },
  {
    name: 'UpdateOrderStatus',
    weight: 14,
    make(known) {
      const { random } = known
      const order = orderAfter(known, random.between(1, 2))
      if (order === undefined) return undefined
      const usual = order.steps < 2 ? 'shipped' : 'delivered'
      const other = random.pick(['shipped', 'delivered', 'paid', 'cancelled'])
      const status = random.next() < 0.75 ? usual : other
      if (status === usual) order.steps += 1
      const tracking = random.next() < 0.3 ? { tracking: `TN-${random.between(1, 99)}` } : {}
      return { input: { orderId: order.orderId, status, ...tracking }, by: 'admin' }
    },
  },
  {
    name: 'RefundOrder',
    weight: 5,
    make(known) {
      const order = someOrder(known)
      if (order === undefined) return undefined
      return refunding(known, order.orderId)
    },
    learn({ refunds }, commandId, { input }) {
      refunds.push({ orderId: String(input.orderId), refundId: derivedId(commandId, 'refund') })
    },
  },
  {
    name: 'ConfirmRefund',
    weight: 1,
    make(known) {
      const refund = pick(known.random, known.refunds)
      return refund && { input: { ...refund }, by: 'admin' }
    },
  },
]
