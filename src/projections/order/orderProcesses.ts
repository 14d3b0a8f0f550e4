// Orders whose process may have something left to do: what a worker looks at after a crash.
import { defineProjection } from '../core/projection.ts'
import { keyedModel } from '../core/readModel.ts'
import { boolean, nullable, type RowOf, type SelectedOf, texts, time, uuid } from '../core/table.ts'

const processes = {
  name: 'order_processes',
  key: 'order_id',
  columns: {
    order_id: uuid,
    /** When the last step was taken. */
    since: time,
    submitted: boolean,
    paying: boolean,
    refund_due: boolean,
    cart_open: boolean,
    /** Products with stock reserved for the order, and still to be released or committed. */
    stock: texts,
    /** The order may have ended or its goods have left: reservations are to be settled. */
    settling: boolean,
    /** The deadline of its payment. */
    expires_at: nullable(time),
    /** Refunds, and payments that came late, that are on their way. */
    open_money: texts,
  },
} as const
type Process = RowOf<typeof processes>

declare module '../core/tables.ts' {
  interface Tables {
    order_processes: SelectedOf<typeof processes>
  }
}

const model = keyedModel(processes, {
  keyOf: ({ data }) => ('orderId' in data ? data.orderId : undefined),
  creates: {
    // Imported orders are driven, and after a crash repaired, by their importer.
    OrderSubmitted: ({ data, source, at }) =>
      source === undefined
        ? { ...nothingToDo(data.orderId, at), submitted: true, cart_open: data.cartId !== null }
        : undefined,
  },
  changes: {
    OrderPlaced: () => ({ submitted: false }),
    OrderRejected: () => ({ submitted: false, cart_open: false, settling: true }),
    PaymentRequested: () => ({ paying: true }),
    PaymentDeadlineSet: (_, { data }) => ({ expires_at: new Date(data.expiresAt).toISOString() }),
    OrderExpired: () => ({ settling: true, expires_at: null, cart_open: false }),
    OrderPaid: ({ open_money }, { data }) => ({
      paying: false,
      settling: false,
      expires_at: null,
      open_money: without(open_money, data.paymentId),
    }),
    PaymentFailed: () => ({ paying: false }),
    LatePaymentReceived: ({ open_money }, { data }) => ({
      paying: false,
      open_money: [...open_money, data.paymentId],
    }),
    LatePaymentRefused: () => ({}),
    LatePaymentReturned: ({ open_money }, { data }) => ({
      open_money: without(open_money, data.paymentId),
    }),
    RefundRequested: ({ open_money }, { data }) => ({
      open_money: [...open_money, data.refundId],
      refund_due: false,
    }),
    RefundFailed: ({ open_money }, { data }) => ({
      open_money: without(open_money, data.refundId),
    }),
    // Whether that was all, and has ended the order, its process finds out.
    OrderRefunded: ({ open_money }, { data }) => ({
      refund_due: false,
      open_money: without(open_money, data.refundId),
      settling: true,
    }),
    OrderShipped: () => ({ settling: true }),
    OrderCancelled: (_, { data }) => ({
      settling: true,
      refund_due: data.refund !== null,
      cart_open: false,
      expires_at: null,
    }),
    // What the bank has taken is owed no more.
    DisputeClosed: (_, { data }) => (data.outcome === 'lost' ? { refund_due: false } : {}),
    ItemsReturned: () => ({}),
    StockReserved: ({ stock }, { data }) => ({ stock: [...stock, data.productId] }),
    ReservationReleased: ({ stock }, { data }) => ({ stock: without(stock, data.productId) }),
    ReservationCommitted: ({ stock }, { data }) => ({ stock: without(stock, data.productId) }),
    CartCheckedOut: () => ({ cart_open: false }),
  },
  // Money can move again for an order that had come to its end.
  missing: event =>
    event.type === 'RefundRequested' || event.type === 'LatePaymentReceived'
      ? { ...nothingToDo(event.data.orderId, event.at), settling: true }
      : undefined,
  finish(row, { type, at }) {
    if (type === 'OrderSubmitted') return row
    const isMoving = row.paying || row.open_money.length > 0 || row.refund_due
    const isOver = row.settling && row.stock.length === 0 && !isMoving && !row.submitted
    return isOver ? undefined : { ...row, since: at }
  },
})

export const orderProcesses = defineProjection({
  name: 'orderProcesses',
  version: 4,
  models: [model],
})

function nothingToDo(order_id: string, since: string): Process {
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

function without(list: readonly string[], gone: string): string[] {
  return list.filter(each => each !== gone)
}
