// Limits of mails per recipient, so that nobody can use the shop to flood an address.
import type { ClaimedMail, Outcome } from './queue.ts'

export interface MailLimits {
  /** Mails about orders to one recipient in an hour. */
  perHour: number
  /** Mails of any kind in a day to an unconfirmed address; then mails about orders are held. */
  unconfirmedPerDay: number
}

export const mailLimits: MailLimits = { perHour: 60, unconfirmedPerDay: 5 }

/** Mails about accounts have separate limits, which mails about orders do not use up. */
const accountPerHour = 10
const accountPerDay = 20
const retrySeconds = 600
/** A mail that was held for so long is given up. */
const waitMaxSeconds = 86_400

/** The outcome of a mail above a limit: held or given up. Undefined when it may be sent. */
export function overLimit(
  { key, sentInHour, sentInDay, sentInDayAnyKind: sentInDayAtAll, queuedSeconds }: ClaimedMail,
  isConfirmed: boolean,
  limits: MailLimits | undefined,
): Outcome | undefined {
  if (limits === undefined) return undefined
  const perHour = key.order_id === null ? accountPerHour : limits.perHour
  const perDay = key.order_id === null ? accountPerDay : Number.POSITIVE_INFINITY
  const isUnconfirmedLimit =
    key.order_id !== null && !isConfirmed && sentInDayAtAll >= limits.unconfirmedPerDay
  if (sentInHour < perHour && sentInDay < perDay && !isUnconfirmedLimit) return undefined
  const why = 'RECIPIENT_LIMIT'
  if (queuedSeconds >= waitMaxSeconds) return { key, state: 'undeliverable', why }
  return { key, waitSeconds: retrySeconds, why }
}
