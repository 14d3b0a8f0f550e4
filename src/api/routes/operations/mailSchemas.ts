// The shape of a mail in the queue, as the API shows it.
import Type from 'typebox'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { integer, nullable, text, time } from '../../http/schemas.ts'

export const MailState = Type.Enum(['due', 'retrying', 'undeliverable', 'sent', 'dropped'], {
  description:
    '`due`: to be sent now; `retrying`: failed for the moment and is tried again; ' +
    '`undeliverable`: refused for good or tried for too long; `sent`: taken by the mail server; ' +
    '`dropped`: given up by an admin, or there was nobody to write to',
})

export const Mail = Type.Object(
  {
    id: Id,
    template: text(100),
    state: MailState,
    /** Null for mails about accounts. */
    orderId: nullable(Id),
    orderNumber: nullable(text(40)),
    customerId: nullable(Id),
    attempts: integer,
    /** A code such as `SMTP 550 5.1.1`: the server's own words may quote the address. */
    lastError: nullable(text(100)),
    queuedAt: time,
    nextAttemptAt: nullable(time),
    sentAt: nullable(time),
  },
  strict,
)
