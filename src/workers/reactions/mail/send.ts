// Sends claimed mails concurrently and returns their outcomes.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../../kit/errorCode.ts'
import { isTransient } from '../../../kit/transient.ts'
import type { Log } from '../../../ports/log.ts'
import type { Mailer, SendResult } from '../../../ports/mail.ts'
import type { Metrics } from '../../../ports/metrics.ts'
import { type Tracing, traceOf } from '../../../ports/tracing.ts'
import type { Draft, Finished } from './draft.ts'
import { type MailLimits, overLimit } from './limits.ts'
import type { Outage } from './outage.ts'
import { type ClaimedMail, nameOf, type Outcome } from './queue.ts'
import { afterFailure } from './retries.ts'

export interface Sending {
  mailer: Mailer
  outage: Outage
  limits: MailLimits | undefined
  metrics: Metrics
  tracing: Tracing
  log: Log
  /** After it aborts no further mail is sent: a slow server must not delay the shutdown. */
  signal: AbortSignal
  /** Mails whose outcome is not recorded yet. */
  unrecorded: Set<string>
}

export interface SendBatch {
  drafts: ReadonlyMap<string, PreparedDraft | undefined>
  /** Latest start of sending under the claim, by performance.now(). */
  beginBefore: number
}

/** The server's answer about a mail, or an outcome without one. */
type Attempt = { claimed: ClaimedMail; result: SendResult } | { outcome: Outcome }

/** Sends claimed mails. Never throws: errors are part of the outcomes. */
export async function sendBatch(
  sending: Sending,
  claimed: readonly ClaimedMail[],
  wave: SendBatch,
): Promise<Outcome[]> {
  const tried = await Promise.all(claimed.map(mail => trySend(sending, mail, wave)))
  const results = tried.flatMap(each => ('result' in each ? [each.result] : []))
  const failures = results.filter(result => !result.accepted && result.kind === 'server')
  // If the server has answered about one of them it is available: the others failed by themselves.
  const isAway = failures.length > 0 && failures.length === results.length
  const [first] = failures
  if (isAway && first?.accepted === false) sending.outage.reportUnavailable(first.code)
  else if (results.length > 0) sending.outage.reportAvailable()
  return tried.map(each => {
    const outcome = 'outcome' in each ? each.outcome : outcomeOf(each.claimed, each.result, isAway)
    report(sending, outcome)
    return outcome
  })
}

function outcomeOf(claimed: ClaimedMail, result: SendResult, isAway: boolean): Outcome {
  const { key } = claimed
  if (result.accepted) return { key, state: 'sent', why: null }
  const kind = result.kind === 'server' && !isAway ? 'lost' : result.kind
  return afterFailure(claimed, { kind, code: result.code }, Math.random())
}

async function trySend(sending: Sending, claimed: ClaimedMail, wave: SendBatch): Promise<Attempt> {
  const { key } = claimed
  const prepared = wave.drafts.get(nameOf(key))
  if (prepared === undefined || 'failed' in prepared)
    return failedToCompose(claimed, prepared?.failed)
  const { draft } = prepared
  if (draft === undefined) return { outcome: { key, state: 'dropped', why: 'NO_ADDRESS' } }
  const limited = overLimit(claimed, draft.isConfirmed, sending.limits)
  if (limited !== undefined) return { outcome: limited }
  try {
    const finished = await draft.finish()
    if (finished === undefined) return { outcome: { key, state: 'dropped', why: 'OBSOLETE' } }
    return { claimed, result: await sendInTime(sending, claimed, { finished, wave }) }
  } catch (error) {
    return failedToCompose(claimed, error)
  }
}

/** A transient error does not count as a failed attempt of the mail; other errors do. */
function failedToCompose(claimed: ClaimedMail, error: unknown): Attempt {
  const isAway = isTransient(error)
  const code = codeOf(error)
  if (isAway) return { outcome: { key: claimed.key, waitSeconds: 1, why: code } }
  return { outcome: afterFailure(claimed, { kind: 'later', code }, Math.random()) }
}

/** How long a slow server may delay the shutdown. */
const shutdownMs = 10_000

/** The server's answer, or `lost` if there was none by the end of the shutdown. */
async function answerInTime(asked: Promise<SendResult>, signal: AbortSignal): Promise<SendResult> {
  const answered = new AbortController()
  const ended = async (): Promise<SendResult> => {
    if (!signal.aborted) await once(signal, 'abort', { signal: answered.signal })
    await sleep(shutdownMs, undefined, { signal: answered.signal })
    return { accepted: false, kind: 'lost', code: 'ENDED' }
  }
  try {
    return await Promise.race([asked, ended()])
  } finally {
    answered.abort()
  }
}

async function sendInTime(
  { mailer, tracing, signal }: Sending,
  { key, trace }: ClaimedMail,
  { finished, wave }: { finished: Finished; wave: SendBatch },
): Promise<SendResult> {
  const parent = traceOf(trace)
  // The rest of the claim: this process may have been paused.
  const leftMs = wave.beginBefore - performance.now()
  if (leftMs <= 0) return { accepted: false, kind: 'lost', code: 'CLAIM_EXPIRED' }
  const result = await tracing.span(
    `mail ${key.template}`,
    () => answerInTime(mailer.send(finished.mail, leftMs), signal),
    { parent },
  )
  if (!result.accepted) await finished.undo?.().catch(() => undefined)
  return result
}

function report({ metrics, log }: Sending, { key, state, failed, why }: Outcome): void {
  const { event_id: eventId, template } = key
  if (state === 'sent') metrics.mail(template, 'sent')
  if (failed) metrics.mail(template, state === 'undeliverable' ? 'undeliverable' : 'failed')
  if (why === null || state === 'dropped') return
  const about = { eventId, template, error: why }
  if (state !== 'undeliverable') log.warn(about, 'mail not sent yet')
  else log.error({ event: 'mail-undeliverable', ...about }, 'mail undeliverable')
}

/** The draft of a mail, looked up before the claim, or the error of the lookup. */
export type PreparedDraft = { draft: Draft | undefined } | { failed: unknown }
