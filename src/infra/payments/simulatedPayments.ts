// A payment provider that lives in the shop's own database: it never charges twice, and forgets
// nothing. The payment method says how it behaves.
import type { KeyObject } from 'node:crypto'
import type { DisputeOutcome } from '../../domain/order/disputes.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import type {
  Charge,
  ChargeAnswer,
  MoneyMoved,
  PaymentCallback,
  PaymentProvider,
  RefundAnswer,
} from '../../ports/payments.ts'
import { type Pool, rows } from '../postgres/database.ts'
import { isSigned, readSimulatedCallback } from './simulatedCallbacks.ts'
import { noteMoved } from './simulatedMoney.ts'

type Status = 'captured' | 'declined' | 'requires_action' | 'processing' | 'cancelled'
interface Row {
  status: Status
  reference: string
  asked: number
}

// The first question decides; the same question again gets what has become of it.
const charge = {
  name: 'simulated_charge',
  text: `insert into shop.simulated_payments
      (payment_id, order_id, amount_minor, currency, status, reference, answers_at)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (payment_id) do update
    set asked = simulated_payments.asked + 1,
      status = case
        when simulated_payments.status = 'processing' and simulated_payments.answers_at <= now()
        then 'captured'
        else simulated_payments.status
      end
    returning status, reference, asked`,
}

const cancel = {
  name: 'simulated_cancel',
  text: `insert into shop.simulated_payments
      (payment_id, order_id, amount_minor, currency, status, reference)
    values ($1, $2, $3, $4, 'cancelled', $5)
    on conflict (payment_id) do update
    set status = case simulated_payments.status
        when 'requires_action' then 'cancelled'
        when 'processing' then case
          when simulated_payments.answers_at <= now() then 'captured' else 'processing'
        end
        else simulated_payments.status
      end
    returning status, reference, asked`,
}

const refund = {
  name: 'simulated_refund',
  text: `insert into shop.simulated_refunds (refund_id, payment_id, amount_minor, currency)
    select $1, $2, $3, $4
    from shop.simulated_payments p
    where p.payment_id = $2 and p.status = 'captured' and p.amount_minor >= $3::bigint + (
      select coalesce(sum(r.amount_minor), 0)
      from shop.simulated_refunds r
      where r.payment_id = $2 and r.refund_id <> $1
    )
    on conflict (refund_id) do update set payment_id = excluded.payment_id
    returning refund_id`,
}

const completeLate = {
  name: 'simulated_settle',
  text: `update shop.simulated_payments
    set status = $2
    where payment_id = $1 and status in ('requires_action', 'processing', $2)
    returning status, reference, asked`,
}

const list = {
  name: 'simulated_list',
  text: `select * from (
      select 'charge' as kind, payment_id as id, order_id, reference, amount_minor, currency,
        created_at as at, null as outcome
      from shop.simulated_payments
      where status = 'captured'
      union all
      select 'refund', case when r.reference is null then r.refund_id end, p.order_id,
        coalesce(r.reference, p.reference), r.amount_minor, r.currency, r.created_at, null
      from shop.simulated_refunds r
      join shop.simulated_payments p using (payment_id)
      union all
      select 'dispute', null, p.order_id, d.reference, d.amount_minor, d.currency,
        d.created_at, d.outcome
      from shop.simulated_disputes d
      join shop.simulated_payments p using (payment_id)
    ) moved
    where at >= $1 and at < $2
    order by at, id`,
}

interface Moved {
  kind: MoneyMoved['kind']
  id: string | null
  order_id: string
  reference: string
  amount_minor: bigint
  currency: string
  at: Date
  outcome: DisputeOutcome | null
}

const first = new Map<string, Status>([
  ['card', 'captured'],
  ['card_timeout', 'captured'],
  ['card_declined', 'declined'],
  ['card_needs_action', 'requires_action'],
  ['card_late', 'processing'],
])

/** The delay of a late card where the order has no deadline. */
const lateMs = 5_000

/**
 * The simulated provider. `card_declined` is declined, `card_needs_action` waits for its callback,
 * `card_timeout` is captured without an answer, `card_late` once the order has expired, `card` is
 * captured at once, and every other method is declined.
 */
export function simulatedPayments(pool: Pool, webhookKey: KeyObject): PaymentProvider {
  const ask = async (query: typeof charge, values: readonly unknown[]) =>
    (await rows<Row>(pool, query, [...values]))[0]
  return {
    name: 'simulated',
    signatureHeader: 'payment-signature',
    async charge({ paymentId, orderId, amount, method, expiresAt }: Charge) {
      const status = first.get(method) ?? 'declined'
      const capturesAt = new Date((expiresAt ?? Date.now() + lateMs) + 1)
      const row = await ask(charge, [
        ...[paymentId, orderId, amount.amount, amount.currency, status, `sim-${paymentId}`],
        status === 'processing' ? capturesAt : null,
      ])
      if (method === 'card_timeout' && row?.asked === 1) throw new Unavailable('no answer')
      return answerOf(row, paymentId)
    },
    async cancel({ paymentId, orderId, amount }: Charge) {
      const values = [paymentId, orderId, amount.amount, amount.currency, `sim-${paymentId}`]
      return answerOf(await ask(cancel, values), paymentId)
    },
    async refund({ refundId, paymentId, amount }): Promise<RefundAnswer> {
      const values = [refundId, paymentId, amount.amount, amount.currency]
      const done = await rows(pool, refund, values)
      if (done.length > 0) return { status: 'refunded' }
      return { status: 'failed', reason: 'More than what is left of the payment.' }
    },
    async readCallback(body, signature, now): Promise<PaymentCallback | undefined> {
      if (!isSigned(webhookKey, { body, signature, now })) return undefined
      const callback = readSimulatedCallback(body, now)
      const { kind, paymentId } = callback
      if (kind === 'refund' || kind === 'dispute') return noteMoved(pool, callback)
      // It is the provider that has taken the money: its own book has to say so.
      if (paymentId === null || kind === 'other') return callback
      const status = kind === 'payment.captured' ? 'captured' : 'declined'
      const row = await ask(completeLate, [paymentId, status])
      return row === undefined ? { ...callback, kind: 'other' } : callback
    },
    async list(from, to) {
      return (await rows<Moved>(pool, list, [from, to])).map(movedOf)
    },
  }
}

function movedOf({ order_id, amount_minor, currency, ...moved }: Moved): MoneyMoved {
  return { ...moved, orderId: order_id, amount: { amount: Number(amount_minor), currency } }
}

function answerOf(row: Row | undefined, paymentId: string): ChargeAnswer {
  const { status = 'processing', reference = '' } = row ?? {}
  switch (status) {
    case 'captured':
      return { status, reference }
    case 'declined':
      return { status, reason: 'The card says no.' }
    case 'cancelled':
      return { status: 'declined', reason: 'It was called off.' }
    case 'requires_action':
      return { status, nextAction: { type: 'confirm', url: `/payments/simulated/${paymentId}` } }
    case 'processing':
      return { status }
  }
}
