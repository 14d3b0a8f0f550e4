// Disputes of orders, by their state: how they stand at the bank, or how they have ended.
import type { CompiledQuery, Kysely } from 'kysely'
import { fold, type KeyedTable } from '../core/keyedTable.ts'
import type { ReadEvent } from '../core/projection.ts'
import type { DisputeState, Tables } from '../core/tables.ts'

interface DisputeRow {
  dispute_id: string
  order_id: string
  payment_id: string
  provider: string
  reference: string
  amount_minor: number
  currency: string
  reason: string
  state: DisputeState
  due_by: string | null
  opened_at: string
  updated_at: string
}

const disputes: KeyedTable<DisputeRow> = {
  name: 'disputes',
  key: 'dispute_id',
  columns: {
    dispute_id: 'uuid',
    order_id: 'uuid',
    payment_id: 'uuid',
    provider: 'text',
    reference: 'text',
    amount_minor: 'bigint',
    currency: 'text',
    reason: 'text',
    state: 'text',
    due_by: 'timestamptz',
    opened_at: 'timestamptz',
    updated_at: 'timestamptz',
  },
}

/** The statements that a batch comes to for disputes. */
export async function foldDisputes(
  db: Kysely<Tables>,
  events: readonly ReadEvent[],
): Promise<CompiledQuery[]> {
  const { writes } = await fold(db, disputes, events, {
    keyOf: event => ('disputeId' in event.data ? event.data.disputeId : undefined),
    creation: 'DisputeOpened',
    evolve,
  })
  return writes
}

function evolve(row: DisputeRow | undefined, event: ReadEvent): DisputeRow | undefined {
  if (event.type === 'DisputeOpened') return opened(event)
  if (row === undefined) return undefined
  const updated_at = event.at
  if (event.type === 'DisputeClosed') {
    const { amount, outcome } = event.data
    return { ...row, amount_minor: amount.amount, state: outcome, updated_at }
  }
  if (event.type !== 'DisputeChanged') return row
  const { amount, stage, dueBy } = event.data
  return { ...row, amount_minor: amount.amount, state: stage, due_by: timeOf(dueBy), updated_at }
}

function opened({ data, at }: Extract<ReadEvent, { type: 'DisputeOpened' }>): DisputeRow {
  return {
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
  }
}

function timeOf(moment: number | null): string | null {
  return moment === null ? null : new Date(moment).toISOString()
}
