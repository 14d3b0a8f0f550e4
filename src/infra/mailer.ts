// Sends mails over SMTP.
import { createTransport } from 'nodemailer'
import type { Mail, Mailer } from '../workers/mails/mail.ts'
import { isPlain, messageText, senderOf } from './mimeMessage.ts'

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
  const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'localhost'
  const sender = senderOf(from)
  return {
    async send(mail: Mail) {
      const { id, to, subject, text, html } = mail
      const messageId = `${id}@${domain}`
      // Addresses that have to be quoted or translated are left to the library.
      if (sender === undefined || !isPlain(to)) {
        await transport.sendMail({ from, to, subject, text, html, messageId: `<${messageId}>` })
        return
      }
      await transport.sendMail({
        envelope: { from: sender.address, to: [to] },
        raw: messageText({ from: sender, messageId, at: new Date(), mail }),
      })
    },
    close: () => transport.close(),
  }
}
