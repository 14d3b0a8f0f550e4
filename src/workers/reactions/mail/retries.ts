// The retry policy for mails that the server has not accepted.
import type { FailureKind } from '../../../ports/mail.ts'
import type { ClaimedMail, Outcome } from './queue.ts'

const day = 86_400
const waitMax = day
/** A link that arrives a day late is of no use. */
const linkRetryFor = day
const retryFor = 3 * day
const linkTemplates: ReadonlySet<string> = new Set(['password-reset', 'email-confirm'])

/** The wait after the first failure; it doubles with each further one, up to a day. */
const firstWait = { later: 60, lost: 5 }

/**
 * The outcome for a mail that was not accepted. A permanent refusal (5xx) is final at once.
 * `random`, between 0 and 1, is jitter: mails that failed together are not retried together.
 */
export function afterFailure(
  { key, attempts, failingSeconds }: ClaimedMail,
  { kind, code }: { kind: FailureKind; code: string },
  random: number,
): Outcome {
  // Not an error of this mail: it is due again at once, after those already queued.
  if (kind === 'server') return { key, waitSeconds: 0, why: code }
  const retryMax = linkTemplates.has(key.template) ? linkRetryFor : retryFor
  if (kind === 'refused' || failingSeconds >= retryMax) {
    return { key, state: 'undeliverable', failed: true, why: code }
  }
  const full = Math.min(waitMax, firstWait[kind] * 2 ** attempts)
  const waitSeconds = full * (1 + random / 4)
  return { key, state: 'retrying', waitSeconds, failed: true, why: code }
}
