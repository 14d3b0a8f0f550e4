// PlaceOrder: from a cart, or from items named in the request, to an order that is pending.
import Type, { type Static } from 'typebox'
import { type CartLine, cart, checkOut, linesOf } from '../../domain/cart/cart.ts'
import type { Product } from '../../domain/catalogue/product.ts'
import { compare, sum, times } from '../../domain/kernel/money.ts'
import { refuseMixed } from '../../domain/kernel/oneCurrency.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { CountryCode, line, multiline } from '../../domain/kernel/text.ts'
import { Id, Quantity, strict } from '../../domain/kernel/types.ts'
import {
  demand,
  isFree,
  type Order,
  type OrderLine,
  type PlacedOrder,
  type Submission,
} from '../../domain/order/order.ts'
import { submit } from '../../domain/order/orderDecisions.ts'
import { defaultMethod, refuseNotOffered } from '../../domain/order/paymentMethods.ts'
import type { Stock } from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { OrderToPrice, PricedOrder } from '../../ports/plugins.ts'
import type { App } from '../core/app.ts'
import { type Accepted, actorId, type Command } from '../core/command.ts'
import { step } from '../core/envelope.ts'
import { derivedId } from '../core/ids.ts'
import { refuseClosed } from '../core/openAccount.ts'
import type { Outcome } from '../core/plan.ts'
import { availableStock } from './availableStock.ts'
import { type Progress, runOrderProcess } from './orderProcess.ts'
import {
  openOrdersOf,
  piecesMax,
  refuseTooManyPieces,
  refuseTooManyUnpaid,
  refuseUncountable,
} from './unpaidLimits.ts'

const Item = Type.Object({ productId: Id, quantity: Quantity }, strict)

const PlaceOrder = Type.Object(
  {
    items: Type.Optional(Type.Array(Item, { minItems: 1, maxItems: 200 })),
    shippingAddress: multiline(1_000),
    phoneNumber: line(40),
    country: Type.Optional(CountryCode),
    paymentMethod: Type.Optional(line(40)),
    acceptPrices: Type.Optional(Type.Boolean()),
  },
  strict,
)
type Input = Static<typeof PlaceOrder>

/** Submits an order, runs its process, and answers once it is placed or rejected. */
export const placeOrder: Command<typeof PlaceOrder> = {
  name: 'PlaceOrder',
  roles: ['customer'],
  input: PlaceOrder,
  async run(app, input, envelope) {
    const customerId = actorId(envelope.actor) ?? ''
    const orderId = derivedId(envelope.commandId, 'order')
    const submitted = await submitOnce(app, input, { orderId, customerId, envelope })
    if (isRejection(submitted)) return submitted
    const loaded = 'state' in submitted ? submitted : undefined
    const progress = await runOrderProcess(app, orderId, envelope, loaded)
    // Evict it: payment comes minutes later, when it would already be in the old generation.
    app.orders.evict(orderId)
    // Neither placed nor rejected: a worker runs the step again, and the same key gets its result.
    const { order, blockedBy } = progress ?? {}
    if (order?.status === 'submitted' && blockedBy !== undefined) throw blockedBy
    return progress === undefined
      ? reject('order/not-found', 'There is no such order.')
      : answer(app, { ...progress, envelope }, submitted.replayed)
  },
}

interface Placing {
  orderId: string
  customerId: string
  envelope: Envelope
}

async function submitOnce(
  app: App,
  input: Input,
  placing: Placing,
): Promise<Outcome<Order> | { replayed: true }> {
  const { orderId, customerId, envelope } = placing
  const method = input.paymentMethod ?? defaultMethod(app.paymentMethods) ?? ''
  const refused = refuseNotOffered(app.paymentMethods, method)
  // Requested now, so that a reservation of numbers runs while the rest is loaded.
  const takeNumber = app.orderNumbers.request()
  const [loaded, open] = await Promise.all([
    refused ?? loadLines(app, input, placing),
    openOrdersOf(app, envelope),
  ])
  const lines = isRejection(loaded)
    ? loaded
    : (refuseTooManyPieces(piecesMax(app, envelope.actor), demand({ lines: loaded })) ??
      (await refuseTooManyUnpaid(app, { orderId, customerId, lines: loaded, open }, envelope)) ??
      loaded)
  const chosen = { ...input, paymentMethod: method }
  const priced = isRejection(lines)
    ? lines
    : await app.pricing(orderToPrice(app, chosen, lines, placing))
  // The goods may be missing because this request has ordered them before: then that is the order.
  if (isRejection(priced)) return (await submittedBefore(app, placing)) ?? priced
  const submission = compose(chosen, priced, {
    orderId,
    orderNumber: await takeNumber(),
    customerId,
    currency: app.currency,
  })
  const decide = (state: Order) => submit(state, submission)
  return app.orders.decide(orderId, step(envelope, 'submit'), decide, { isNew: true })
}

async function submittedBefore(app: App, { orderId, envelope }: Placing) {
  const { commandId } = step(envelope, 'submit')
  const known = (await app.orders.processed(orderId, [commandId])).get(commandId)
  if (known === undefined || known.digest === envelope.digest)
    return known && { replayed: true as const }
  return reject('command/key-reused', 'This key was used for another request.')
}

/** What is to be ordered, at today's prices, or why it cannot be. */
async function loadLines(
  app: App,
  input: Input,
  { customerId, envelope }: Placing,
): Promise<OrderLine[] | Rejection> {
  // Most likely the cart holds what is cached: then everything is loaded in one round trip.
  const guess = input.items ?? linesOf(app.carts.cached(customerId) ?? cart.initial)
  const [closed, loaded, guessed] = await Promise.all([
    refuseClosed(app, envelope),
    app.carts.load(customerId),
    loadGoods(app, guess),
  ])
  if (closed !== undefined) return closed
  const inCart = linesOf(loaded.state)
  const items = input.items ?? inCart
  if (items.length === 0) return reject('cart/empty', 'The cart is empty.')
  const isRight = items.every(({ productId }) => guessed.has(productId))
  const goods = isRight ? guessed : await loadGoods(app, items)
  const lines: OrderLine[] = []
  const missing: string[] = []
  for (const { productId, quantity } of items) {
    const state = goods.get(productId)?.product
    if (state?.status !== 'listed' || !state.active) missing.push(productId)
    else {
      const { sku, name, price } = state
      const total = times(price, quantity)
      lines.push({ productId, sku, name, quantity, unitPrice: price, total })
    }
  }
  if (missing.length > 0) {
    return reject('product/not-found', 'Some of these products are no longer sold.', {
      productIds: missing,
    })
  }
  const increases = input.items === undefined ? priceIncreases(inCart, lines) : []
  if (increases.length > 0 && input.acceptPrices !== true) {
    return reject(
      'cart/price-changed',
      'Prices have increased. Send acceptPrices to accept them.',
      {
        changes: increases,
      },
    )
  }
  const totals = lines.map(line => line.total)
  return (
    refuseMixed(totals, app.currency) ??
    refuseUncountable(totals) ??
    (await refuseShort(app, lines, envelope, goods)) ??
    lines
  )
}

interface Goods {
  product: Product
  stock: Stock
}

/** Products and their stock, loaded in one round trip. */
async function loadGoods(
  app: App,
  items: readonly { productId: string }[],
): Promise<ReadonlyMap<string, Goods>> {
  const found = items.map(async ({ productId }): Promise<[string, Goods]> => {
    const [product, stock] = await Promise.all([
      app.products.load(productId),
      app.stock.load(productId),
    ])
    return [productId, { product: product.state, stock: stock.state }]
  })
  return new Map(await Promise.all(found))
}

/** Lower prices apply as they are; higher ones have to be accepted. */
function priceIncreases(inCart: readonly CartLine[], lines: readonly OrderLine[]) {
  return lines.flatMap(({ productId, unitPrice }) => {
    const seen = inCart.find(line => line.productId === productId)?.unitPrice
    if (seen === undefined) return []
    // A price in another currency is another price, and cannot be compared.
    const isSame = seen.currency === unitPrice.currency
    if (isSame && compare(seen, unitPrice) >= 0) return []
    return [{ productId, before: seen, now: unitPrice }]
  })
}

/** Refuses what is out of stock at once, without an order that has to be rejected. */
async function refuseShort(
  app: App,
  lines: OrderLine[],
  envelope: Envelope,
  goods?: ReadonlyMap<string, Goods>,
): Promise<Rejection | undefined> {
  const short = await Promise.all(
    [...demand({ lines })].map(async ([productId, wanted]) => {
      const free = await availableStock(
        app,
        { productId, quantity: wanted },
        envelope,
        goods?.get(productId)?.stock,
      )
      return free < wanted ? [{ productId, wanted, available: free }] : []
    }),
  )
  return short.flat().length > 0 ? outOfStock(short.flat()) : undefined
}

function outOfStock(short: { productId: string; wanted: number; available: number }[]) {
  return reject('order/out-of-stock', 'There are not enough pieces left.', { short })
}

type Chosen = Input & { paymentMethod: string }

function orderToPrice(
  { currency }: App,
  { country, shippingAddress, paymentMethod }: Chosen,
  lines: OrderLine[],
  { orderId, customerId }: Placing,
): OrderToPrice {
  const delivery = { country: country ?? null, shippingAddress, paymentMethod }
  return { orderId, customerId, currency, ...delivery, lines, charges: [] }
}

function compose(
  input: Chosen,
  { lines, charges }: PricedOrder,
  keys: { orderId: string; orderNumber: string; customerId: string; currency: string },
): Submission {
  const { orderId, orderNumber, customerId, currency } = keys
  return {
    orderId,
    orderNumber,
    customerId,
    cartId: input.items === undefined ? customerId : null,
    lines: [...lines],
    charges: [...charges],
    total: sum([...lines.map(line => line.total), ...charges.map(each => each.amount)], currency),
    country: input.country ?? null,
    delivery: { shippingAddress: input.shippingAddress, phoneNumber: input.phoneNumber },
    paymentMethod: input.paymentMethod,
  }
}

/** The status and revision of an order right after it was placed. */
function asPlaced(order: PlacedOrder) {
  if (isFree(order)) return { status: 'paid', revision: 2 }
  return { status: 'pending', revision: order.expiresAt === null ? 1 : 2 }
}

/** The refusal of an order whose lines were not in the cart any more. */
async function refuseChanged(app: App, { cartId, orderId, lines }: PlacedOrder) {
  if (cartId === null) return undefined
  const checkedOut = checkOut((await app.carts.load(cartId)).state, cartId, orderId, lines)
  return isRejection(checkedOut) ? checkedOut : undefined
}

async function answer(
  app: App,
  { order, revision, position, envelope }: Progress & { envelope: Envelope },
  replayed: boolean,
): Promise<Accepted | Rejection> {
  if (order.status === 'rejected') {
    const closed = await refuseClosed(app, envelope)
    const unpaid = { ...order, open: await openOrdersOf(app, envelope) }
    const tooMany = await refuseTooManyUnpaid(app, unpaid, envelope)
    const changed = await refuseChanged(app, order)
    const short = await refuseShort(app, order.lines, envelope)
    return closed ?? tooMany ?? changed ?? short ?? outOfStock([])
  }
  const { orderId, orderNumber, total, lines } = order
  // A retry gets the first answer, whatever has happened to the order since.
  const first = replayed ? asPlaced(order) : { ...order, revision }
  const result = { orderId, orderNumber, status: first.status, total, lines }
  return { id: orderId, revision: first.revision, position, replayed, result }
}
