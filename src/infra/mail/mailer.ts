// Sends mails over SMTP, on a thread of their own.
import { codeOf } from '../../kit/errorCode.ts'
import type { Mailer, SendResult } from '../../ports/mail.ts'
import { createThread } from '../system/threads.ts'
import type { MailJob, MailSettings, MailTimeouts } from './mailThread.ts'

/** More than are ever sent at once. */
const queueMax = 100
const nanosecondsInMs = 1_000_000n

/**
 * A server may look at a mail for long before it says that it has taken it (RFC 5321, 4.5.3.2):
 * giving up earlier would send the mail again.
 */
const mailTimeouts: MailTimeouts = { connectMs: 5_000, silenceMs: 60_000 }

/** A mailer for an SMTP server given by URL. */
export function createMailer(smtpUrl: string, from: string, timeouts = mailTimeouts): Mailer {
  const settings: MailSettings = { smtpUrl, from, timeouts }
  const thread = createThread<MailJob, SendResult>(new URL('./mailThread.ts', import.meta.url), {
    of: 'mails',
    queueMax,
    workerData: settings,
  })
  return {
    async send(mail, beginWithinMs) {
      const within = BigInt(Math.floor(beginWithinMs)) * nanosecondsInMs
      try {
        return await thread.run({ mail, beginBefore: process.hrtime.bigint() + within })
      } catch (error) {
        // The thread has ended, perhaps while the mail was on its way.
        return { accepted: false, kind: 'lost', code: codeOf(error) }
      }
    },
    close: thread.close,
  }
}
