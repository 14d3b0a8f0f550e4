// Sends mails over SMTP.
import { createTransport } from 'nodemailer'
import type { Mail, Mailer } from '../workers/mails/mail.ts'

/** A mailer for an SMTP server given by URL. */
export function createMailer(smtpUrl: string, from: string): Mailer {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 3,
    connectionTimeout: 5_000,
    socketTimeout: 15_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ id, to, subject, text, html }: Mail) {
      const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'localhost'
      await transport.sendMail({ from, to, subject, text, html, messageId: `<${id}@${domain}>` })
    },
    close: () => transport.close(),
  }
}
