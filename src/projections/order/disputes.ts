// Disputes of orders, by their state: how they stand at the bank, or how they have ended.
import Type, { type Static } from 'typebox'
import type { DisputeEvent } from '../../domain/order/disputes.ts'
import { disputeOutcomes, disputeStages, OrderEvents } from '../../domain/order/orderEvents.ts'
import { type Changes, keyedModel } from '../core/readModel.ts'
import { bigint, nullable, type RowOf, type SelectedOf, textOf, time, uuid } from '../core/table.ts'
import { field, money, view } from '../core/view.ts'

export const DisputeState = Type.Enum([...disputeStages, ...disputeOutcomes], {
  description:
    '`inquiry`: the bank asks, no money is taken; `needs_response`: evidence is due; ' +
    '`under_review`: the bank decides; `won`: the money stays; `lost`: it is gone; ' +
    '`dropped`: ended without a decision',
})
export type DisputeState = Static<typeof DisputeState>

const opened = OrderEvents.DisputeOpened.properties

const disputes = {
  name: 'disputes',
  key: 'dispute_id',
  columns: {
    dispute_id: uuid,
    order_id: uuid,
    payment_id: uuid,
    provider: textOf(opened.provider),
    reference: textOf(opened.reference),
    amount_minor: bigint,
    currency: textOf(opened.amount.properties.currency),
    reason: textOf(opened.reason),
    state: textOf(DisputeState),
    due_by: nullable(time),
    opened_at: time,
    updated_at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    disputes: SelectedOf<typeof disputes>
  }
}

const changes: Changes<RowOf<typeof disputes>, Exclude<DisputeEvent['type'], 'DisputeOpened'>> = {
  DisputeChanged: (_, { data: { amount, stage, dueBy }, at }) => ({
    amount_minor: amount.amount,
    state: stage,
    due_by: timeOf(dueBy),
    updated_at: at,
  }),
  DisputeClosed: (_, { data: { amount, outcome }, at }) => ({
    amount_minor: amount.amount,
    state: outcome,
    updated_at: at,
  }),
}

export const disputesModel = keyedModel(disputes, {
  keyOf: event => event.data.disputeId,
  creates: {
    DisputeOpened: ({ data, at }) => ({
      dispute_id: data.disputeId,
      order_id: data.orderId,
      payment_id: data.paymentId,
      provider: data.provider,
      reference: data.reference,
      amount_minor: data.amount.amount,
      currency: data.amount.currency,
      reason: data.reason,
      state: data.stage,
      due_by: timeOf(data.dueBy),
      opened_at: at,
      updated_at: at,
    }),
  },
  changes,
})

const column = <Name extends keyof RowOf<typeof disputes>>(name: Name) => field(disputes, name)

/** A dispute as answers show it. */
export const disputeView = view(disputes, {
  id: column('dispute_id'),
  state: column('state'),
  amount: money('amount_minor'),
  /** The provider's code, such as `fraudulent`. */
  reason: column('reason'),
  /** Until when the bank takes evidence. */
  dueBy: column('due_by'),
  paymentId: column('payment_id'),
  provider: column('provider'),
  /** The provider's own name for it. */
  reference: column('reference'),
  openedAt: column('opened_at'),
  updatedAt: column('updated_at'),
})

function timeOf(moment: number | null): string | null {
  return moment === null ? null : new Date(moment).toISOString()
}
