// PlaceOrder: from a cart, or from items named in the request, to an order that is pending.
import Type, { type Static } from 'typebox'
import { checkOut } from '../../domain/cart/cart.ts'
import { sum } from '../../domain/kernel/money.ts'
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
import type { Envelope } from '../../ports/envelope.ts'
import type { OrderToPrice, PricedOrder } from '../../ports/plugins.ts'
import type { App } from '../core/app.ts'
import { type Accepted, actorId, type Command } from '../core/command.ts'
import { step } from '../core/envelope.ts'
import { derivedId } from '../core/ids.ts'
import { refuseClosed } from '../core/openAccount.ts'
import type { Outcome } from '../core/plan.ts'
import { loadLines, outOfStock, refuseShort } from './orderLines.ts'
import { type Progress, runOrderProcess } from './orderProcess.ts'
import {
  openOrdersOf,
  piecesMax,
  refuseTooManyPieces,
  refuseTooManyUnpaid,
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

/** Fields of the request without a meaning of their own here go into the event as they are. */
function compose(
  { items, acceptPrices, country, shippingAddress, phoneNumber, ...ordered }: Chosen,
  { lines, charges }: PricedOrder,
  keys: { orderId: string; orderNumber: string; customerId: string; currency: string },
): Submission {
  const { orderId, orderNumber, customerId, currency } = keys
  return {
    orderId,
    orderNumber,
    customerId,
    cartId: items === undefined ? customerId : null,
    lines: [...lines],
    charges: [...charges],
    total: sum([...lines.map(line => line.total), ...charges.map(each => each.amount)], currency),
    country: country ?? null,
    delivery: { shippingAddress, phoneNumber },
    ...ordered,
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
