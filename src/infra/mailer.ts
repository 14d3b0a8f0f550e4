// Sends mails over SMTP, on a thread of their own.
import type { Mail, Mailer } from '../workers/mails/mail.ts'
import type { MailSettings, Reply } from './mailThread.ts'
import { createThread } from './threads.ts'

/** More than are ever sent at once. */
const waitingMax = 100

/** A mailer for an SMTP server given by URL. What it throws has the code of what went wrong. */
export function createMailer(smtpUrl: string, from: string): Mailer {
  const settings: MailSettings = { smtpUrl, from }
  const thread = createThread<Mail, Reply>(new URL('./mailThread.ts', import.meta.url), {
    of: 'mails',
    waitingMax,
    workerData: settings,
  })
  return {
    async send(mail) {
      const reply = await thread.ask(mail)
      if ('failed' in reply) {
        throw Object.assign(new Error('the mail was not taken'), { code: reply.failed })
      }
    },
    close: thread.close,
  }
}
