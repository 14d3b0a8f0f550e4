// The book of the simulated provider about what it has moved without the shop: refunds, disputes.
import type { PaymentCallback, ReportedDispute, ReportedRefund } from '../../ports/payments.ts'
import { type Pool, rows } from '../postgres/database.ts'

const find = {
  name: 'simulated_captured',
  text: `select payment_id, order_id from shop.simulated_payments
    where (payment_id = $1 or order_id = $2) and status = 'captured'
    order by created_at
    limit 1`,
}
// Like a refund that the shop asks for: never more than what is left of the payment.
const refund = {
  name: 'simulated_told_refund',
  text: `insert into shop.simulated_refunds
      (refund_id, reference, payment_id, amount_minor, currency)
    select gen_random_uuid(), $1, $2, $3, $4
    from shop.simulated_payments p
    where p.payment_id = $2 and p.currency = $4 and p.amount_minor >= $3::bigint + (
      select coalesce(sum(r.amount_minor), 0) from shop.simulated_refunds r where r.payment_id = $2
    )
    on conflict (reference) do nothing`,
}

const recordRefund = {
  name: 'simulated_told_failure',
  text: 'delete from shop.simulated_refunds where refund_id = $1 or reference = $2',
}

const dispute = {
  name: 'simulated_told_dispute',
  text: `insert into shop.simulated_disputes
      (reference, payment_id, amount_minor, currency, outcome)
    values ($1, $2, $3, $4, $5)
    on conflict (reference) do update
    set outcome = coalesce(excluded.outcome, simulated_disputes.outcome)`,
}

/** Notes what a callback tells, which may name the order alone; it knows the payment. */
export async function noteMoved(pool: Pool, callback: PaymentCallback): Promise<PaymentCallback> {
  const ids = [callback.paymentId, callback.orderId]
  const [found] = await rows<{ payment_id: string; order_id: string }>(pool, find, ids)
  if (found === undefined) return callback
  const paymentId = found.payment_id
  for (const report of callback.refunds ?? []) await noteRefund(pool, paymentId, report)
  if (callback.dispute !== undefined) await noteDispute(pool, paymentId, callback.dispute)
  return { ...callback, paymentId, orderId: found.order_id }
}

async function noteRefund(pool: Pool, paymentId: string, report: ReportedRefund): Promise<void> {
  const { refundId, reference, amount, hasFailed } = report
  if (hasFailed) await rows(pool, recordRefund, [refundId, reference])
  else if (refundId === null) {
    await rows(pool, refund, [reference, paymentId, amount.amount, amount.currency])
  }
}

async function noteDispute(pool: Pool, paymentId: string, report: ReportedDispute): Promise<void> {
  const { reference, amount, outcome } = report
  const values = [amount.amount, amount.currency, outcome]
  await rows(pool, dispute, [reference, paymentId, ...values])
}
