// Callbacks of the payment provider: each is recorded, and acted upon once.
import type { Decision } from '../../domain/kernel/aggregate.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Order, OrderEvent } from '../../domain/order/order.ts'
import { failPayment } from '../../domain/order/orderDecisions.ts'
import { receivePayment } from '../../domain/order/orderPayments.ts'
import { recordDispute, recordRefund } from '../../domain/order/providerMoney.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type {
  Acted,
  Finding,
  PaymentCallback,
  ReportedDispute,
  ReportedRefund,
} from '../../ports/payments.ts'
import type { App } from '../core/app.ts'
import { systemEnvelope } from '../core/envelope.ts'
import { disputeIdOf, idOf, providerRefundId } from '../core/ids.ts'
import { runOrderProcess } from './orderProcess.ts'

/**
 * Acts on a callback. Command ids follow from what it is about, so that what comes twice is one.
 * What cannot be booked is a finding, never an error. Throws Unavailable.
 */
export async function takeCallback(app: App, callback: PaymentCallback): Promise<Acted> {
  const { findings, ...acted } = await act(app, callback)
  const named = findings.map(each => {
    const { kind, reference, problem } = each
    return { ...each, findingId: idOf('finding', app.payments.name, kind, reference, problem) }
  })
  return { ...acted, findings: named }
}

type Found = Omit<Finding, 'findingId'>
type Outcome = Omit<Acted, 'findings'> & { findings: readonly Found[] }

async function act(app: App, callback: PaymentCallback): Promise<Outcome> {
  switch (callback.kind) {
    case 'payment.captured':
    case 'payment.declined':
      return takePayment(app, callback)
    case 'refund':
      return sumUp(
        await Promise.all((callback.refunds ?? []).map(each => refundOf(app, callback, each))),
      )
    case 'dispute':
      return callback.dispute === undefined
        ? unread(callback)
        : disputeOf(app, callback, callback.dispute)
    case 'unreadable':
      return unread(callback)
    case 'other':
      return nothing
  }
}

const nothing: Outcome = { outcome: 'unknown', findings: [], booked: [] }

function sumUp(parts: readonly Outcome[]): Outcome {
  if (parts.length === 0) return nothing
  const outcome = parts.some(each => each.outcome === 'review') ? 'review' : 'recorded'
  return {
    outcome,
    findings: parts.flatMap(each => each.findings),
    booked: parts.flatMap(each => each.booked),
  }
}

function unread({ orderId, paymentId, reference, reason }: PaymentCallback): Outcome {
  const problem = 'callback/unreadable'
  const detail = `This release cannot read it: ${reason}.`
  const found = { kind: 'unreadable' as const, reference, orderId, paymentId, amount: null }
  return { outcome: 'review', findings: [{ ...found, problem, detail }], booked: [] }
}

async function takePayment(app: App, callback: PaymentCallback): Promise<Outcome> {
  const { callbackId, kind, orderId, paymentId, reference, reason } = callback
  const isCaptured = kind === 'payment.captured'
  const provider = app.payments.name
  const about = { kind: 'payment' as const, reference, orderId, paymentId, amount: null }
  if (orderId !== null && paymentId !== null) {
    const envelope = envelopeOf(app, idOf('callback', provider, callbackId))
    const outcome = await app.orders.decide(orderId, envelope, state =>
      isCaptured
        ? receivePayment(state, { paymentId, provider, reference })
        : failPayment(state, paymentId, reason),
    )
    if (!isRejection(outcome)) {
      await runOrderProcess(app, orderId, envelope, outcome)
      return { outcome: 'recorded', findings: [], booked: [about] }
    }
  }
  // An unexpected capture needs a person to look at it; an unexpected decline does not.
  if (!isCaptured) return nothing
  const detail = 'Money came for an order that this shop does not have.'
  return { ...nothing, findings: [{ ...about, problem: 'payment/unknown', detail }] }
}

async function refundOf(
  app: App,
  callback: PaymentCallback,
  reported: ReportedRefund,
): Promise<Outcome> {
  const { reference, amount, hasFailed } = reported
  const provider = app.payments.name
  const refundId = reported.refundId ?? providerRefundId(provider, reference)
  const about = { kind: 'refund' as const, reference, amount }
  const word = hasFailed ? 'failed' : 'made'
  const booked = await book(app, callback, {
    commandId: idOf('provider-refund', provider, reference, word),
    decide: (state, paymentId) =>
      recordRefund(state, { refundId, paymentId, provider, reference, amount, hasFailed }),
  })
  const acted = actedOn(callback, about, booked)
  if (isRejection(booked) || !hasFailed) return acted
  const detail = 'The customer has not got this refund: pay it back another way.'
  const finding = findingOf(callback, about, { rejected: 'refund/failed', detail })
  return { outcome: 'review', findings: [finding], booked: acted.booked }
}

async function disputeOf(
  app: App,
  callback: PaymentCallback,
  reported: ReportedDispute,
): Promise<Outcome> {
  const { reference, amount } = reported
  const provider = app.payments.name
  const disputeId = disputeIdOf(provider, reference)
  const word = [reported.outcome ?? reported.stage, String(reported.asOf), String(reported.dueBy)]
  const booked = await book(app, callback, {
    commandId: idOf('dispute', provider, reference, ...word),
    decide: (state, paymentId) =>
      recordDispute(state, { ...reported, disputeId, paymentId, provider }),
  })
  return actedOn(callback, { kind: 'dispute', reference, amount }, booked)
}

interface Booking {
  commandId: string
  decide(state: Order, paymentId: string): Decision<OrderEvent>
}

const unknownOrder = () =>
  reject('payment/unknown', 'No order of this shop has the payment that it is about.')

/** Decides on the order that a callback is about, and lets its process do what follows. */
async function book(
  app: App,
  { orderId, paymentId }: PaymentCallback,
  { commandId, decide }: Booking,
): Promise<Rejection | 'booked'> {
  if (orderId === null || paymentId === null) return unknownOrder()
  const envelope = envelopeOf(app, commandId)
  const before = await app.orders.load(orderId)
  if (before.state.status === 'none') return unknownOrder()
  // The answer to the charge may still be on its way, or a refund that is due not requested yet.
  const { openPayment, refundDue } = before.state
  const isUnderWay = openPayment?.paymentId === paymentId || refundDue > 0
  if (isUnderWay) await runOrderProcess(app, orderId, envelope, before)
  const outcome = await app.orders.decide(orderId, envelope, state => decide(state, paymentId))
  if (isRejection(outcome)) return outcome
  await runOrderProcess(app, orderId, envelope, outcome)
  return 'booked'
}

function envelopeOf(app: App, commandId: string): Envelope {
  return systemEnvelope(`payments/${app.payments.name}`, app.clock.now(), commandId)
}

type About = Pick<Finding, 'kind' | 'reference' | 'amount'>

function actedOn(callback: PaymentCallback, about: About, booked: Rejection | 'booked'): Outcome {
  if (!isRejection(booked)) return { outcome: 'recorded', findings: [], booked: [about] }
  return { outcome: 'review', findings: [findingOf(callback, about, booked)], booked: [] }
}

function findingOf(
  { orderId, paymentId }: PaymentCallback,
  about: About,
  { rejected: problem, detail }: { rejected: Finding['problem']; detail: string },
): Found {
  return { ...about, orderId, paymentId, problem, detail }
}
