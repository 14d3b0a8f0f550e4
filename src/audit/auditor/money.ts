// Money: never more goes back than came in, and the log has what the payment provider has.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  type Observations,
  type Report,
  type Scope,
  text,
} from './evidence.ts'
import { isBeforeCutoff, type OrderBook } from './orders.ts'

interface Purse {
  captured: number
  refunded: number
  /** By refund: the event that says so. */
  refunds: Map<string, string>
}

const conserved = 'money is conserved'

export function moneyChecks(book: OrderBook, report: Report, scope: Scope): Check {
  return new MoneyChecks(book, report, scope)
}

class MoneyChecks implements Check {
  readonly #book: OrderBook
  readonly #report: Report
  readonly #scope: Scope
  readonly #purses = new Map<string, Purse>()
  /** By payment and by refund: what the log says of each. */
  readonly #payments = new Map<string, number>()
  readonly #refunds = new Map<string, number>()

  constructor(book: OrderBook, report: Report, scope: Scope) {
    this.#book = book
    this.#report = report
    this.#scope = scope
  }

  see(event: LogEvent): void {
    if (!event.stream.startsWith('order-')) return
    const orderId = text(event, 'orderId')
    if (!this.#scope.has(orderId)) return
    const purse = this.#purses.get(orderId) ?? { captured: 0, refunded: 0, refunds: new Map() }
    this.#purses.set(orderId, purse)
    this.#move(purse, event)
    const total = this.#book.orders.get(orderId)?.total ?? 0
    const { captured, refunded } = purse
    if (captured > total) {
      this.#report(conserved, `${named(event)} makes it ${captured} paid of ${total}.`)
    } else if (event.type === 'OrderPaid' && captured < total) {
      this.#report(conserved, `${named(event)} captures ${captured} of ${total}.`)
    }
    if (refunded > captured) {
      this.#report(conserved, `${named(event)} makes it ${refunded} paid back of ${captured}.`)
    }
  }

  #move(purse: Purse, event: LogEvent): void {
    const paymentId = text(event, 'paymentId')
    const refundId = text(event, 'refundId')
    const money = amount(event, 'amount')
    switch (event.type) {
      case 'OrderPaid':
      case 'LatePaymentReceived':
        if (event.type === 'OrderPaid') purse.captured += money
        this.#payments.set(paymentId, money)
        return
      case 'LatePaymentReturned':
        this.#refunds.set(refundId, money)
        return
      case 'OrderRefunded': {
        const before = purse.refunds.get(refundId)
        purse.refunds.set(refundId, named(event))
        if (before !== undefined) this.#report(conserved, `${named(event)} comes after ${before}.`)
        purse.refunded += money
        this.#refunds.set(refundId, money)
        return
      }
      case 'ItemsReturned':
        purse.refunded += money
        return
      case 'RefundReversed':
        purse.refunded -= money
        this.#refunds.delete(refundId)
    }
  }

  conclude(observations: Observations): void {
    if (!observations.isAtRest) return
    openMoney(observations, this.#book, this.#report)
    if (observations.money === undefined) return
    const booked = { book: this.#book, payments: this.#payments, refunds: this.#refunds }
    compare(observations, booked, this.#report)
  }

  examined(): Record<string, number> {
    return { [conserved]: this.#purses.size }
  }
}

/** How what has begun with money ends, and by which field the end is known. */
const completions: Readonly<Record<string, { field: string; by: readonly string[] }>> = {
  PaymentRequested: {
    field: 'paymentId',
    by: ['OrderPaid', 'PaymentFailed', 'LatePaymentReceived'],
  },
  RefundRequested: { field: 'refundId', by: ['OrderRefunded', 'RefundFailed'] },
  LatePaymentReceived: { field: 'paymentId', by: ['OrderPaid', 'LatePaymentReturned'] },
}

/** What has begun with money of an order has come to its end. */
function openMoney(observations: Observations, book: OrderBook, report: Report): void {
  for (const order of book.orders.values()) {
    const { orderId, events } = order
    if (observations.unreadable?.has(`order-${orderId}`)) continue
    if (observations.cutoff !== undefined && !isBeforeCutoff(observations, order)) continue
    for (const event of events) {
      if (observations.isMoneyOpen || hasEnd(event, events)) continue
      report('everything comes to rest', `${named(event)} has come to no end.`)
    }
    const cancelled = events.find(({ type }) => type === 'OrderCancelled')
    const isOwed = cancelled !== undefined && amount(cancelled, 'refund') > 0
    if (!isOwed || events.some(({ type }) => /^(Order)?Refund|Dispute/.test(type))) continue
    report('everything comes to rest', `Nothing is paid back for ${named(cancelled)}.`)
  }
}

function hasEnd(event: LogEvent, events: readonly LogEvent[]): boolean {
  const end = completions[event.type]
  if (end === undefined) return true
  // Money that was received outside of the provider is refunded manually, without a deadline.
  const paid = events.findLast(({ type }) => type === 'OrderPaid')
  const isByHand = paid !== undefined && byHand.has(text(paid, 'provider'))
  if (event.type === 'RefundRequested' && isByHand) return true
  const id = text(event, end.field)
  return events.some(({ type, data }) => end.by.includes(type) && data[end.field] === id)
}

interface Booked {
  book: OrderBook
  payments: ReadonlyMap<string, number>
  refunds: ReadonlyMap<string, number>
}

/** At rest the books of the provider and the log agree. */
function compare(
  observations: Observations,
  { book, payments, refunds }: Booked,
  report: Report,
): void {
  const promise = 'the log has what the payment provider has'
  const moved = [...(observations.money ?? [])]
  const known = new Set(moved.map(({ kind, id }) => `${kind} ${id}`))
  const unread = unreadPayments(observations, book)
  for (const { kind, id, paymentId, amount: money } of moved) {
    const booked = (kind === 'charge' ? payments : refunds).get(id) ?? 0
    if (booked === money || unread.has(paymentId)) continue
    report(promise, `The provider has a ${kind} ${id} of ${money}, and the log ${booked}.`)
  }
  for (const [id, money] of payments) {
    if (money === 0 || known.has(`charge ${id}`) || !isProviders(book, id)) continue
    report(promise, `The log has a payment ${id} of ${money} that the provider does not know.`)
  }
  for (const [id, money] of refunds) {
    if (known.has(`refund ${id}`) || !isProvidersRefund(book, id)) continue
    report(promise, `The log has a refund ${id} of ${money} that the provider does not know.`)
  }
}

/** Payments of orders whose streams are unreadable. */
function unreadPayments({ unreadable }: Observations, book: OrderBook): Set<string> {
  const unread = new Set<string>()
  for (const { orderId, events } of book.orders.values()) {
    if (!unreadable?.has(`order-${orderId}`)) continue
    for (const event of events) unread.add(text(event, 'paymentId'))
  }
  return unread
}

const byHand = new Set(['manual', 'none', 'ledger'])

function isProviders(book: OrderBook, paymentId: string): boolean {
  for (const { events } of book.orders.values()) {
    const paid = events.find(
      each => text(each, 'paymentId') === paymentId && 'provider' in each.data,
    )
    if (paid !== undefined) return !byHand.has(text(paid, 'provider'))
  }
  return false
}

/** Whether a refund is of money that came through the provider, and was not told of by it. */
function isProvidersRefund(book: OrderBook, refundId: string): boolean {
  for (const { events } of book.orders.values()) {
    const back = events.find(
      each => text(each, 'refundId') === refundId && each.type !== 'RefundRequested',
    )
    if (back === undefined || text(back, 'provider') !== '') continue
    const paid = events.findLast(each => each.type === 'OrderPaid')
    return (
      back.type === 'LatePaymentReturned' ||
      (paid !== undefined && !byHand.has(text(paid, 'provider')))
    )
  }
  return false
}
