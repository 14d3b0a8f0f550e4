// PlaceOrder: from a cart, or from items named in the request, to an order that is pending.
import Type, { type Static } from 'typebox'
import { type CartLine, linesOf } from '../domain/cart.ts'
import { sum, times } from '../domain/money.ts'
import {
  demand,
  type Order,
  type OrderLine,
  type PlacedOrder,
  type Submission,
} from '../domain/order.ts'
import { submit } from '../domain/orderDecisions.ts'
import { isRejection, type Rejection, reject } from '../domain/rejection.ts'
import type { Stock } from '../domain/stock.ts'
import { Country, Id, Quantity } from '../domain/types.ts'
import { type Advanced, advanceOrder } from './advanceOrder.ts'
import { refuseUncountable } from './cart.ts'
import { type Accepted, actorId, type Command, step } from './command.ts'
import { freeStock } from './freeStock.ts'
import { derivedId } from './ids.ts'
import type { Outcome } from './plan.ts'
import type { Envelope } from './ports.ts'
import type { Shop } from './shop.ts'

const Item = Type.Object({ productId: Id, quantity: Quantity }, { additionalProperties: false })

const PlaceOrder = Type.Object(
  {
    items: Type.Optional(Type.Array(Item, { minItems: 1, maxItems: 200 })),
    shippingAddress: Type.String({ minLength: 1, maxLength: 1_000 }),
    phoneNumber: Type.String({ minLength: 1, maxLength: 40 }),
    country: Type.Optional(Country),
    paymentMethod: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
    acceptPrices: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
type Input = Static<typeof PlaceOrder>

/** Records what is wanted, promises the stock, and answers when the order stands or falls. */
export const placeOrder: Command<typeof PlaceOrder> = {
  name: 'PlaceOrder',
  who: ['customer'],
  input: PlaceOrder,
  async run(shop, input, envelope) {
    const customerId = actorId(envelope.actor) ?? ''
    const orderId = derivedId(envelope.commandId, 'order')
    const submitted = await submitOnce(shop, input, { orderId, customerId, envelope })
    if (isRejection(submitted)) return submitted
    const seen = 'state' in submitted && !submitted.replayed ? submitted : undefined
    const advanced = await advanceOrder(shop, orderId, envelope, seen)
    return advanced === undefined
      ? reject('order/not-found', 'There is no such order.')
      : answer(shop, { ...advanced, envelope }, submitted.replayed)
  },
}

interface Placing {
  orderId: string
  customerId: string
  envelope: Envelope
}

async function submitOnce(
  shop: Shop,
  input: Input,
  placing: Placing,
): Promise<Outcome<Order> | { replayed: true }> {
  const { orderId, customerId, envelope } = placing
  const [before, lines] = await Promise.all([
    submittedBefore(shop, placing),
    gatherLines(shop, input, placing),
  ])
  if (before !== undefined) return before
  // What is missing now may be what a twin of this request has just taken: then that is the order.
  if (isRejection(lines)) return (await submittedBefore(shop, placing)) ?? lines
  const submission = compose(input, lines, { orderId, customerId, currency: shop.currency })
  return shop.orders.decide(orderId, step(envelope, 'submit'), state => submit(state, submission))
}

async function submittedBefore(shop: Shop, { orderId, envelope }: Placing) {
  const { handled } = await shop.orders.load(orderId)
  const known = handled.get(step(envelope, 'submit').commandId)
  if (known === undefined || known.digest === envelope.digest)
    return known && { replayed: true as const }
  return reject('command/key-reused', 'This key was used for another request.')
}

/** What is to be ordered, at today's prices, or why it cannot be. */
async function gatherLines(
  shop: Shop,
  input: Input,
  { customerId, envelope }: Placing,
): Promise<OrderLine[] | Rejection> {
  const cart = await shop.carts.load(customerId)
  const inCart = linesOf(cart.state)
  const items = input.items ?? inCart
  if (items.length === 0) return reject('cart/empty', 'The cart is empty.')
  const lines: OrderLine[] = []
  const missing: string[] = []
  // Asked for together they are one round trip.
  const [products, stock] = await Promise.all([
    Promise.all(items.map(item => shop.products.load(item.productId))),
    Promise.all(items.map(item => shop.stock.load(item.productId))),
  ])
  const seen = new Map(items.map((item, index) => [item.productId, stock[index]?.state]))
  items.forEach((item, index) => {
    const state = products[index]?.state
    if (state?.status !== 'listed' || !state.active) missing.push(item.productId)
    else {
      const { productId, sku, name, price } = state
      const total = times(price, item.quantity)
      lines.push({ productId, sku, name, quantity: item.quantity, unitPrice: price, total })
    }
  })
  if (missing.length > 0) {
    return reject('product/not-found', 'Some of these products are no longer sold.', {
      productIds: missing,
    })
  }
  const risen = input.items === undefined ? risenPrices(inCart, lines) : []
  if (risen.length > 0 && input.acceptPrices !== true) {
    return reject('cart/price-changed', 'Prices have risen: say acceptPrices to go on.', {
      changes: risen,
    })
  }
  return (
    refuseUncountable(lines.map(line => line.total)) ??
    (await refuseShort(shop, lines, envelope, seen)) ??
    lines
  )
}

/** Drops are passed on, rises are asked about. */
function risenPrices(inCart: readonly CartLine[], lines: readonly OrderLine[]) {
  return lines.flatMap(({ productId, unitPrice }) => {
    const seen = inCart.find(line => line.productId === productId)?.unitPrice
    if (seen === undefined || seen.amount >= unitPrice.amount) return []
    return [{ productId, before: seen, now: unitPrice }]
  })
}

/** Who comes too late for the last piece is told at once, without an order that must be undone. */
async function refuseShort(
  shop: Shop,
  lines: OrderLine[],
  envelope: Envelope,
  seen: ReadonlyMap<string, Stock | undefined> = new Map(),
): Promise<Rejection | undefined> {
  const short = await Promise.all(
    [...demand({ lines })].map(async ([productId, wanted]) => {
      const free = await freeStock(shop, { productId, wanted }, envelope, seen.get(productId))
      return free < wanted ? [{ productId, wanted, available: free }] : []
    }),
  )
  return short.flat().length > 0 ? outOfStock(short.flat()) : undefined
}

function outOfStock(short: { productId: string; wanted: number; available: number }[]) {
  return reject('order/out-of-stock', 'There are not enough pieces left.', { short })
}

function compose(
  input: Input,
  lines: OrderLine[],
  keys: { orderId: string; customerId: string; currency: string },
): Submission {
  const { orderId, customerId, currency } = keys
  return {
    orderId,
    orderNumber: orderNumberOf(orderId),
    customerId,
    cartId: input.items === undefined ? customerId : null,
    lines,
    charges: [],
    total: sum(
      lines.map(line => line.total),
      lines[0]?.total.currency ?? currency,
    ),
    country: input.country ?? null,
    delivery: { shippingAddress: input.shippingAddress, phoneNumber: input.phoneNumber },
    paymentMethod: input.paymentMethod ?? 'card',
  }
}

/** What people read out on the phone: ten digits of the order's id, in two halves. */
export function orderNumberOf(orderId: string): string {
  const digits = orderId.replaceAll('-', '').slice(-10).toUpperCase()
  return `${digits.slice(0, 5)}-${digits.slice(5)}`
}

/** Submitted, placed, and until when it waits to be paid. */
const placedRevision = (order: PlacedOrder) => (order.expiresAt === null ? 1 : 2)

async function answer(
  shop: Shop,
  { order, revision, position, envelope }: Advanced & { envelope: Envelope },
  replayed: boolean,
): Promise<Accepted | Rejection> {
  if (order.status === 'rejected') {
    return (await refuseShort(shop, order.lines, envelope)) ?? outOfStock([])
  }
  const { orderId, orderNumber, total, lines } = order
  // Whatever has become of the order since: a retry gets what the first answer was.
  const first = replayed
    ? { status: 'pending', revision: placedRevision(order) }
    : { ...order, revision }
  const result = { orderId, orderNumber, status: first.status, total, lines }
  return { id: orderId, revision: first.revision, position, replayed, result }
}
