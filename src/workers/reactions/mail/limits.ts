// How many mails one recipient gets, so that nobody can have a shop flood an address.
import type { ClaimedMail, Outcome } from './queue.ts'

export interface MailLimits {
  /** Mails about orders to one recipient in an hour. */
  perHour: number
  /** Mails of any kind in a day, beyond which those about orders wait for a confirmed address. */
  unconfirmedPerDay: number
}

export const mailLimits: MailLimits = { perHour: 60, unconfirmedPerDay: 5 }

/** Mails about accounts have limits of their own: those about orders do not use them up. */
const accountPerHour = 10
const accountPerDay = 20
const retrySeconds = 600
/** What has waited for so long is of no use to anybody. */
const waitMaxSeconds = 86_400

/** Why a mail has to wait, or is given up; undefined when it may be sent. */
export function overLimit(
  { key, sentInHour, sentInDay, sentInDayAtAll, queuedSeconds }: ClaimedMail,
  isConfirmed: boolean,
  limits: MailLimits | undefined,
): Outcome | undefined {
  if (limits === undefined) return undefined
  const perHour = key.order_id === null ? accountPerHour : limits.perHour
  const perDay = key.order_id === null ? accountPerDay : Number.POSITIVE_INFINITY
  const isUnwanted =
    key.order_id !== null && !isConfirmed && sentInDayAtAll >= limits.unconfirmedPerDay
  if (sentInHour < perHour && sentInDay < perDay && !isUnwanted) return undefined
  const why = 'RECIPIENT_LIMIT'
  if (queuedSeconds >= waitMaxSeconds) return { key, state: 'undeliverable', why }
  return { key, waitSeconds: retrySeconds, why }
}
