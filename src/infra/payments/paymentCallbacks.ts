// Payment callbacks: each is stored once with its outcome, and with findings that the staff has to
// resolve.

import type { Acted, CallbackBook, CallbackOutcome, Finding } from '../../ports/payments.ts'
import { type Pool, rows } from '../postgres/database.ts'

const note = {
  name: 'payment_callback_note',
  text: `insert into shop.payment_callbacks (provider, callback_id, kind, payment_id, order_id)
    values ($1, $2, $3, $4, $5)
    on conflict (provider, callback_id) do update set times = payment_callbacks.times + 1
    returning outcome`,
}
// One statement: a callback that is concluded has its findings.
const conclude = {
  name: 'payment_callback_conclude',
  text: `with found as (
      insert into shop.payment_findings (finding_id, provider, kind, reference, problem, detail,
        order_id, payment_id, amount_minor, currency)
      select finding_id, $1, kind, reference, problem, detail, order_id, payment_id, amount_minor,
        currency
      from json_to_recordset($4::json) as f(finding_id uuid, kind text, reference text,
        problem text, detail text, order_id uuid, payment_id uuid, amount_minor bigint,
        currency text)
      on conflict (finding_id) do nothing
    ), closed as (
      update shop.payment_findings f
      set resolved_at = now(), resolved_by = $1
      from json_to_recordset($5::json) as b(kind text, reference text)
      where f.provider = $1 and f.kind = b.kind and f.reference = b.reference
        and f.resolved_at is null and f.problem <> 'refund/failed'
    )
    update shop.payment_callbacks set outcome = $3 where provider = $1 and callback_id = $2`,
}

const resolve = {
  name: 'payment_finding_resolve',
  text: `update shop.payment_findings
    set resolved_at = now(), resolved_by = $2
    where finding_id = $1 and resolved_at is null
    returning finding_id`,
}

/** The book of one provider. */
export function callbackBook(pool: Pool, provider: string): CallbackBook {
  return {
    async once({ callbackId, kind, paymentId, orderId }, act) {
      const values = [provider, callbackId, kind, paymentId, orderId]
      const [known] = await rows<{ outcome: CallbackOutcome | null }>(pool, note, values)
      if (known?.outcome) return known.outcome
      const acted = await act()
      await rows(pool, conclude, [provider, callbackId, ...concluded(acted)])
      return acted.outcome
    },
    async resolve(findingId, by) {
      return (await rows(pool, resolve, [findingId, by])).length > 0
    },
  }
}

function concluded({ outcome, findings, booked }: Acted) {
  const found = findings.map(rowOf)
  const closed = booked.map(({ kind, reference }) => ({ kind, reference }))
  return [outcome, JSON.stringify(found), JSON.stringify(closed)]
}

function rowOf(finding: Finding) {
  const { findingId, kind, reference, problem, detail, orderId, paymentId, amount } = finding
  return {
    finding_id: findingId,
    kind,
    reference,
    problem,
    detail,
    order_id: orderId,
    payment_id: paymentId,
    amount_minor: amount?.amount ?? null,
    currency: amount?.currency ?? null,
  }
}
