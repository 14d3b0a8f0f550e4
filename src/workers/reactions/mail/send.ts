// Sends claimed mails at once and says what has become of each.
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
  /** Once it has aborted no more mails are begun: slow servers must not hold up an end. */
  signal: AbortSignal
  /** Mails whose outcome is known and not recorded yet. */
  unrecorded: Set<string>
}

export interface Wave {
  drafts: ReadonlyMap<string, Looked | undefined>
  /** Until when a mail may begin to be sent under its claim. */
  beginBefore: number
}

/** A mail that was tried, or an outcome without one. */
type Tried = { claimed: ClaimedMail; result: SendResult } | { outcome: Outcome }

/** Sends mails that are claimed. Never throws: what went wrong is part of the outcomes. */
export async function sendWave(
  sending: Sending,
  claimed: readonly ClaimedMail[],
  wave: Wave,
): Promise<Outcome[]> {
  const tried = await Promise.all(claimed.map(mail => attempt(sending, mail, wave)))
  const results = tried.flatMap(each => ('result' in each ? [each.result] : []))
  const away = results.filter(result => !result.accepted && result.kind === 'server')
  // A server that has answered about one of them is not away: it dropped the others for their own.
  const isAway = away.length > 0 && away.length === results.length
  const [first] = away
  if (isAway && first?.accepted === false) sending.outage.serverIsAway(first.code)
  else if (results.length > 0) sending.outage.serverIsBack()
  return tried.map(each => {
    const outcome = 'outcome' in each ? each.outcome : outcomeOf(each.claimed, each.result, isAway)
    note(sending, outcome)
    return outcome
  })
}

function outcomeOf(claimed: ClaimedMail, result: SendResult, isAway: boolean): Outcome {
  const { key } = claimed
  if (result.accepted) return { key, state: 'sent', why: null }
  const kind = result.kind === 'server' && !isAway ? 'lost' : result.kind
  return afterFailure(claimed, { kind, code: result.code }, Math.random())
}

async function attempt(sending: Sending, claimed: ClaimedMail, wave: Wave): Promise<Tried> {
  const { key } = claimed
  const looked = wave.drafts.get(nameOf(key))
  if (looked === undefined || 'failed' in looked) return unwritten(claimed, looked?.failed)
  const { draft } = looked
  if (draft === undefined) return { outcome: { key, state: 'dropped', why: 'NO_ADDRESS' } }
  const limited = overLimit(claimed, draft.isConfirmed, sending.limits)
  if (limited !== undefined) return { outcome: limited }
  try {
    const finished = await draft.finish()
    if (finished === undefined) return { outcome: { key, state: 'dropped', why: 'OBSOLETE' } }
    return { claimed, result: await give(sending, claimed, { finished, wave }) }
  } catch (error) {
    return unwritten(claimed, error)
  }
}

/** The store that is away is not the mail's fault; whatever else is wrong may be. */
function unwritten(claimed: ClaimedMail, error: unknown): Tried {
  const isAway = isTransient(error)
  const code = codeOf(error)
  if (isAway) return { outcome: { key: claimed.key, waitSeconds: 1, why: code } }
  return { outcome: afterFailure(claimed, { kind: 'later', code }, Math.random()) }
}

/** A server that is slow does not hold up the end of a process for longer. */
const endMs = 10_000

/** The answer, or that there was none when the process had to end. */
async function answerInTime(asked: Promise<SendResult>, signal: AbortSignal): Promise<SendResult> {
  const answered = new AbortController()
  const ended = async (): Promise<SendResult> => {
    if (!signal.aborted) await once(signal, 'abort', { signal: answered.signal })
    await sleep(endMs, undefined, { signal: answered.signal })
    return { accepted: false, kind: 'lost', code: 'ENDED' }
  }
  try {
    return await Promise.race([asked, ended()])
  } finally {
    answered.abort()
  }
}

async function give(
  { mailer, tracing, signal }: Sending,
  { key, trace }: ClaimedMail,
  { finished, wave }: { finished: Finished; wave: Wave },
): Promise<SendResult> {
  const parent = traceOf(trace)
  // What is left of the claim: this process may have been stopped for a while.
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

function note({ metrics, log }: Sending, { key, state, failed, why }: Outcome): void {
  const { event_id: eventId, template } = key
  if (state === 'sent') metrics.mail(template, 'sent')
  if (failed) metrics.mail(template, state === 'undeliverable' ? 'undeliverable' : 'failed')
  if (why === null || state === 'dropped') return
  const about = { eventId, template, error: why }
  if (state !== 'undeliverable') log.warn(about, 'mail not sent yet')
  else log.error({ event: 'mail-undeliverable', ...about }, 'mail undeliverable')
}

/** What is known of a mail before it is claimed: whom it goes to, or why that is not known. */
export type Looked = { draft: Draft | undefined } | { failed: unknown }
