// Disputes of an order: payments that a customer's bank takes back or wants to take back.
import type { EventOf } from '../kernel/aggregate.ts'
import { type Rejection, reject } from '../kernel/rejection.ts'
import type { Money } from '../kernel/types.ts'
import { type disputeOutcomes, disputeStages, type OrderEvents } from './orderEvents.ts'

export type DisputeStage = (typeof disputeStages)[number]
export type DisputeOutcome = (typeof disputeOutcomes)[number]

export interface Dispute {
  paymentId: string
  reference: string
  amount: Money
  /** The provider's reason code. */
  reason: string
  stage: DisputeStage
  /** Null while it is open. */
  outcome: DisputeOutcome | null
  /** Until when the bank takes evidence, in milliseconds. */
  dueBy: number | null
  /** When the provider knew this, in milliseconds. */
  asOf: number
}

export type Disputes = ReadonlyMap<string, Dispute>

export type DisputeEvent = Extract<EventOf<typeof OrderEvents>, { type: `Dispute${string}` }>

/** The disputes of an order after an event. */
export function evolveDisputes(before: Disputes, event: DisputeEvent): Disputes {
  const { disputeId } = event.data
  if (event.type === 'DisputeOpened') {
    const { paymentId, reference, amount, reason, stage, dueBy, asOf } = event.data
    const opened = { paymentId, reference, amount, reason, stage, outcome: null, dueBy, asOf }
    return new Map(before).set(disputeId, opened)
  }
  const known = before.get(disputeId)
  if (known === undefined) return before
  if (event.type === 'DisputeChanged') {
    const { amount, stage, dueBy, asOf } = event.data
    return new Map(before).set(disputeId, { ...known, amount, stage, dueBy, asOf })
  }
  const { amount, outcome, asOf } = event.data
  return new Map(before).set(disputeId, { ...known, amount, outcome, asOf })
}

/** What the bank holds of a payment, in minor units: lost, or not decided yet. */
export function disputedOf(disputes: Disputes, paymentId: string | undefined): number {
  let total = 0
  for (const each of disputes.values()) {
    if (each.paymentId === paymentId && isHeld(each)) total += each.amount.amount
  }
  return total
}

/** An inquiry takes no money. */
function isHeld({ outcome, stage }: Dispute): boolean {
  return outcome === 'lost' || (outcome === null && stage !== 'inquiry')
}

/** Whether the bank has still to decide about one of them. */
export function hasOpenDispute(disputes: Disputes): boolean {
  return [...disputes.values()].some(({ outcome }) => outcome === null)
}

/** Refuses goods for money that the bank may take still, or has taken. */
export function refuseContested(disputes: Disputes): Rejection | undefined {
  const contested = [...disputes.values()].filter(
    ({ outcome }) => outcome === null || outcome === 'lost',
  )
  if (contested.length === 0) return undefined
  const isOpen = contested.some(({ outcome }) => outcome === null)
  const what = isOpen ? 'is disputed' : 'was lost in a dispute'
  const detail = `The payment of this order ${what}: ship it with acceptDispute, or not at all.`
  return reject('order/disputed', detail, {
    disputes: contested.map(({ reference, amount, stage, outcome }) => {
      return { reference, amount, state: outcome ?? stage }
    }),
  })
}

/** How many disputes have ended for the shop. */
export function disputesInFavour(disputes: Disputes): number {
  return [...disputes.values()].filter(({ outcome }) => outcome !== null && outcome !== 'lost')
    .length
}

type DisputeUpdate = Pick<Dispute, 'stage' | 'asOf'>

/** Whether news of an open dispute is newer; of the same moment, what comes later in its course. */
export function isNewer(update: DisputeUpdate, known: DisputeUpdate): boolean {
  if (update.asOf !== known.asOf) return update.asOf > known.asOf
  return disputeStages.indexOf(update.stage) > disputeStages.indexOf(known.stage)
}
