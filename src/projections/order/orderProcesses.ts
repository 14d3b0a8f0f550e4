// Orders whose process may have something left to do: what a worker looks at after a crash.
import { fold, type KeyedTable } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'

interface ProcessRow {
  order_id: string
  /** When the last step was taken. */
  since: string
  submitted: boolean
  paying: boolean
  refund_due: boolean
  cart_open: boolean
  /** Products whose pieces are promised to the order, and still to be released or committed. */
  stock: string[]
  /** The order may have ended or its goods have left: the promises have to be settled. */
  settling: boolean
  /** Until when it waits to be paid. */
  expires_at: string | null
  /** Refunds, and payments that came late, that are on their way. */
  open_money: string[]
}

const processes: KeyedTable<ProcessRow> = {
  name: 'order_processes',
  key: 'order_id',
  columns: {
    order_id: 'uuid',
    since: 'timestamptz',
    submitted: 'boolean',
    paying: 'boolean',
    refund_due: 'boolean',
    cart_open: 'boolean',
    stock: 'text[]',
    settling: 'boolean',
    expires_at: 'timestamptz',
    open_money: 'text[]',
  },
}

export const orderProcesses = defineProjection({
  name: 'orderProcesses',
  version: 4,
  tables: ['order_processes'],
  on: [
    'OrderSubmitted',
    'OrderPlaced',
    'PaymentDeadlineSet',
    'OrderExpired',
    'OrderRejected',
    'PaymentRequested',
    'OrderPaid',
    'PaymentFailed',
    'OrderShipped',
    'OrderCancelled',
    'RefundRequested',
    'OrderRefunded',
    'RefundFailed',
    'DisputeClosed',
    'LatePaymentReceived',
    'LatePaymentRefused',
    'LatePaymentReturned',
    'ItemsReturned',
    'StockReserved',
    'ReservationReleased',
    'ReservationCommitted',
    'CartCheckedOut',
  ],
  async plan(events, db) {
    const { writes } = await fold(db, processes, events, {
      keyOf: event => ('orderId' in event.data ? event.data.orderId : undefined),
      creation: 'OrderSubmitted',
      evolve: (row, event) => evolve(row, event),
    })
    return { writes }
  },
})

function evolve(row: ProcessRow | undefined, event: ReadEvent): ProcessRow | undefined {
  const since = event.at
  if (event.type === 'OrderSubmitted') {
    // What is brought in from elsewhere is driven, and after a crash repaired, by its importer.
    if (event.source !== undefined) return undefined
    const cart_open = event.data.cartId !== null
    return { ...nothingToDo(event.data.orderId, since), submitted: true, cart_open }
  }
  const before = row ?? reopened(event, since)
  if (before === undefined) return undefined
  const next = { ...before, ...step(before, event), since }
  const isOver =
    next.settling && next.stock.length === 0 && !next.paying && next.open_money.length === 0
  return isOver && !next.refund_due && !next.submitted ? undefined : next
}

function nothingToDo(order_id: string, since: string): ProcessRow {
  return {
    order_id,
    since,
    submitted: false,
    paying: false,
    refund_due: false,
    cart_open: false,
    stock: [],
    settling: false,
    expires_at: null,
    open_money: [],
  }
}

/** Money can move again for an order that had come to its end. */
function reopened(event: ReadEvent, since: string): ProcessRow | undefined {
  if (event.type !== 'RefundRequested' && event.type !== 'LatePaymentReceived') return undefined
  return { ...nothingToDo(event.data.orderId, since), settling: true }
}

function step(row: ProcessRow, event: ReadEvent): Partial<ProcessRow> {
  switch (event.type) {
    case 'OrderPlaced':
      return { submitted: false }
    case 'OrderRejected':
      return { submitted: false, cart_open: false, settling: true }
    case 'PaymentRequested':
      return { paying: true }
    case 'PaymentDeadlineSet':
      return { expires_at: new Date(event.data.expiresAt).toISOString() }
    case 'OrderExpired':
      return { settling: true, expires_at: null, cart_open: false }
    case 'OrderPaid':
      return {
        paying: false,
        settling: false,
        expires_at: null,
        open_money: without(row.open_money, event.data.paymentId),
      }
    case 'PaymentFailed':
      return { paying: false }
    case 'LatePaymentReceived':
      return { paying: false, open_money: [...row.open_money, event.data.paymentId] }
    case 'RefundRequested':
      return { open_money: [...row.open_money, event.data.refundId], refund_due: false }
    case 'RefundFailed':
      return { open_money: without(row.open_money, event.data.refundId) }
    case 'LatePaymentReturned':
      return { open_money: without(row.open_money, event.data.paymentId) }
    case 'OrderShipped':
      return { settling: true }
    case 'OrderCancelled':
      return {
        settling: true,
        refund_due: event.data.refund !== null,
        cart_open: false,
        expires_at: null,
      }
    // What the bank has taken is owed no more.
    case 'DisputeClosed':
      return event.data.outcome === 'lost' ? { refund_due: false } : {}
    case 'OrderRefunded': {
      const open_money = without(row.open_money, event.data.refundId)
      // Whether that was all, and has ended the order, is seen where it is looked after.
      return { refund_due: false, open_money, settling: true }
    }
    case 'StockReserved':
      return { stock: [...row.stock, event.data.productId] }
    case 'ReservationReleased':
    case 'ReservationCommitted':
      return { stock: without(row.stock, event.data.productId) }
    case 'CartCheckedOut':
      return { cart_open: false }
    default:
      return {}
  }
}

function without(list: readonly string[], gone: string): string[] {
  return list.filter(each => each !== gone)
}
