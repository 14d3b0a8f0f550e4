// When a mail that was not taken is tried again, and when no more.
import type { FailureKind } from '../../../ports/mail.ts'
import type { ClaimedMail, Outcome } from './queue.ts'

const day = 86_400
const waitMax = day
/** Whoever asked for a link an hour ago does not wait for it any more. */
const linkRetryFor = day
const retryFor = 3 * day
const linkTemplates: ReadonlySet<string> = new Set(['password-reset', 'email-confirm'])

/** The wait after the first failure; it doubles with each further one, up to a day. */
const firstWait = { later: 60, lost: 5 }

/**
 * What becomes of a mail that was not taken. A refusal for good (5xx) is final at once. `random` is
 * between 0 and 1: what failed together is not tried together again.
 */
export function afterFailure(
  { key, attempts, failingSeconds }: ClaimedMail,
  { kind, code }: { kind: FailureKind; code: string },
  random: number,
): Outcome {
  // It says nothing about this mail: it is the next again, after those that wait already.
  if (kind === 'server') return { key, waitSeconds: 0, why: code }
  const most = linkTemplates.has(key.template) ? linkRetryFor : retryFor
  if (kind === 'refused' || failingSeconds >= most) {
    return { key, state: 'undeliverable', failed: true, why: code }
  }
  const full = Math.min(waitMax, firstWait[kind] * 2 ** attempts)
  const waitSeconds = full * (1 + random / 4)
  return { key, state: 'retrying', waitSeconds, failed: true, why: code }
}
