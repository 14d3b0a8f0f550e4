// Orders, folded by hand: they take legal steps only, and each step once.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  type Observations,
  piecesOf,
  type Report,
  type Scope,
  text,
} from './evidence.ts'

export interface Order {
  orderId: string
  customerId: string
  number: string
  cartId: string | null
  status: string
  isImported: boolean
  hasLeft: boolean
  /** Wanted pieces by product. */
  demand: Map<string, number>
  total: number
  captured: number
  paidBack: number
  events: LogEvent[]
}

export interface OrderBook extends Check {
  orders: ReadonlyMap<string, Order>
}

/** Where the events of an order lead to, and from where they may. */
const steps: Readonly<Record<string, { to: string; from: readonly string[] }>> = {
  OrderPlaced: { to: 'pending', from: ['submitted'] },
  OrderRejected: { to: 'rejected', from: ['submitted'] },
  OrderPaid: { to: 'paid', from: ['pending', 'expired'] },
  OrderExpired: { to: 'expired', from: ['pending'] },
  OrderShipped: { to: 'shipped', from: ['paid'] },
  OrderDelivered: { to: 'delivered', from: ['shipped'] },
  OrderCancelled: { to: 'cancelled', from: ['pending', 'paid'] },
}

/** Of one order each of these is there once at most. */
const once = new Set([...Object.keys(steps), 'OrderSubmitted', 'OrderArchived'])

/** The orders of a part. */
export function createOrderBook(scope: Scope): OrderBook {
  const orders = new Map<string, Order>()
  return {
    orders,
    see(event) {
      if (!event.stream.startsWith('order-')) return
      const orderId = text(event, 'orderId')
      if (!scope.has(orderId)) return
      if (event.type === 'OrderSubmitted' && !orders.has(orderId)) {
        orders.set(orderId, submitted(orderId, event))
      }
      orders.get(orderId)?.events.push(event)
    },
    examined: () => ({}),
  }
}

function submitted(orderId: string, event: LogEvent): Order {
  const demand = new Map<string, number>()
  for (const { productId, quantity } of piecesOf(event)) {
    demand.set(productId, (demand.get(productId) ?? 0) + quantity)
  }
  const { total, cartId } = event.data
  const isMoney = typeof total === 'object' && total !== null && 'amount' in total
  return {
    orderId,
    customerId: text(event, 'customerId'),
    number: text(event, 'orderNumber'),
    cartId: typeof cartId === 'string' ? cartId : null,
    status: 'submitted',
    isImported: event.source !== undefined,
    hasLeft: false,
    demand,
    total: isMoney ? Number(total.amount) : 0,
    captured: 0,
    paidBack: 0,
    events: [],
  }
}

/** Whether the last change of an order is old enough for its process to be finished. */
export function isBeforeCutoff({ cutoff, unreadable }: Observations, order: Order): boolean {
  if (unreadable?.has(`order-${order.orderId}`)) return false
  // What is brought in from elsewhere is driven on by its importer, some time.
  if (cutoff === undefined) return !order.isImported
  return Date.parse(order.events.at(-1)?.at ?? '') < cutoff
}

const begun = 'orders begin with their submission'
const eachOnce = 'an order takes each step once'
const oneNumber = 'an order number belongs to one order'
const rest = 'everything comes to rest'

export function orderChecks(book: OrderBook, report: Report, scope: Scope): Check {
  const numbers = new Map<string, string>()
  const number = (event: LogEvent) => {
    const own = text(event, 'orderNumber')
    if (event.type !== 'OrderSubmitted' || own === '' || !scope.has(own)) return
    const orderId = text(event, 'orderId')
    const other = numbers.get(own)
    numbers.set(own, orderId)
    if (other === undefined || other === orderId) return
    report(oneNumber, `Orders ${other} and ${orderId} are both ${own}.`)
  }
  return {
    see(event) {
      if (!event.stream.startsWith('order-')) return
      number(event)
      if (!scope.has(text(event, 'orderId'))) return
      const order = book.orders.get(text(event, 'orderId'))
      if (order === undefined) {
        report(begun, `${named(event)} has none before it.`)
        return
      }
      const twin = order.events.find(each => each !== event && each.type === event.type)
      if (once.has(event.type) && twin !== undefined) {
        report(eachOnce, `${named(event)} comes after ${named(twin)}.`)
      }
      move(order, event, report)
    },
    conclude(observations) {
      if (!observations.isAtRest) return
      for (const order of book.orders.values()) {
        const { orderId, status, events } = order
        if (status !== 'submitted' || !isBeforeCutoff(observations, order)) continue
        const [first] = events
        const detail = `Order ${orderId} was neither placed nor rejected after `
        report(rest, `${detail}${first && named(first)}.`)
      }
    },
    examined() {
      const { size } = book.orders
      return {
        [begun]: size,
        [eachOnce]: size,
        [legal]: size,
        [rest]: size,
        [oneNumber]: numbers.size,
      }
    },
  }
}

/** Paid back as a whole, an order is over, unless it was cancelled before. */
function refund(order: Order, event: LogEvent): void {
  order.paidBack += amount(event, 'amount')
  if (order.paidBack >= order.captured && order.status !== 'cancelled') order.status = 'refunded'
}

const legal = 'orders take legal steps'

function move(order: Order, event: LogEvent, report: Report): void {
  if (event.type === 'OrderRefunded' || event.type === 'ItemsReturned') refund(order, event)
  if (event.type === 'RefundReversed') order.paidBack -= amount(event, 'amount')
  const step = steps[event.type]
  if (step === undefined) return
  // Money that comes late for an order that has been paid otherwise is another matter.
  if (!step.from.includes(order.status)) {
    const move = `from ${order.status} to ${step.to}`
    report(legal, `${named(event)} moves order ${order.orderId} ${move}.`)
  }
  order.status = step.to
  if (event.type === 'OrderPaid') order.captured = amount(event, 'amount')
  if (event.type === 'OrderShipped') order.hasLeft = true
}
