// Orders, folded by hand: they take legal steps only, and each step once.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  piecesOf,
  type Report,
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

export function createOrderBook(): OrderBook {
  const orders = new Map<string, Order>()
  return {
    orders,
    see(event) {
      if (!event.stream.startsWith('order-')) return
      const orderId = text(event, 'orderId')
      if (event.type === 'OrderSubmitted' && !orders.has(orderId)) {
        orders.set(orderId, submitted(orderId, event))
      }
      orders.get(orderId)?.events.push(event)
    },
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
    paidBack: 0,
    events: [],
  }
}

export function orderChecks(book: OrderBook, report: Report): Check {
  const numbers = new Map<string, string>()
  return {
    see(event) {
      if (!event.stream.startsWith('order-')) return
      const order = book.orders.get(text(event, 'orderId'))
      if (order === undefined) {
        report('orders begin with their submission', `${named(event)} has none before it.`)
        return
      }
      const twin = order.events.find(each => each !== event && each.type === event.type)
      if (once.has(event.type) && twin !== undefined) {
        report('an order takes each step once', `${named(event)} comes after ${named(twin)}.`)
      }
      move(order, event, report)
      if (event.type === 'OrderSubmitted') {
        const other = numbers.get(order.number)
        numbers.set(order.number, order.orderId)
        if (other !== undefined && other !== order.orderId) {
          const says = `Orders ${other} and ${order.orderId} are both ${order.number}.`
          report('an order number belongs to one order', says)
        }
      }
    },
    conclude({ isAtRest, unreadable }) {
      if (!isAtRest) return
      for (const { orderId, status, events, isImported } of book.orders.values()) {
        const [first] = events
        // What is brought in from elsewhere is driven on by its importer, some time.
        if (isImported || status !== 'submitted' || unreadable?.has(`order-${orderId}`)) continue
        const says = `Order ${orderId} stays submitted after ${first && named(first)}.`
        report('everything comes to rest', says)
      }
    },
  }
}

/** Paid back as a whole, an order is over, unless it was cancelled before. */
function payBack(order: Order, event: LogEvent): void {
  order.paidBack += amount(event, 'amount')
  if (order.paidBack >= order.total && order.status !== 'cancelled') order.status = 'refunded'
}

function move(order: Order, event: LogEvent, report: Report): void {
  if (event.type === 'OrderRefunded' || event.type === 'ItemsReturned') payBack(order, event)
  if (event.type === 'RefundReversed') order.paidBack -= amount(event, 'amount')
  const step = steps[event.type]
  if (step === undefined) return
  // Money that comes late for an order that has been paid otherwise is another matter.
  if (!step.from.includes(order.status)) {
    report(
      'orders take legal steps',
      `${named(event)} makes the order ${order.orderId}, which is ${order.status}, ${step.to}.`,
    )
  }
  order.status = step.to
  if (event.type === 'OrderShipped') order.hasLeft = true
}
