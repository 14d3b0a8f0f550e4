// The thread that sends mails over SMTP: putting one together takes as long as projecting a dozen
// events, and people who follow their orders live wait for those.
import { setPriority } from 'node:os'
import { workerData } from 'node:worker_threads'
import { createTransport } from 'nodemailer'
import { codeOf } from '../kit/codeOf.ts'
import type { Mail } from '../workers/mails/mail.ts'
import { answerJobs } from './threads.ts'

export interface MailSettings {
  smtpUrl: string
  from: string
}

/** A code where it was not taken: what servers say may quote the address. */
export type Reply = { failed: string } | { sent: true }

const { smtpUrl, from }: MailSettings = workerData
const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'localhost'
const transport = createTransport({
  url: smtpUrl,
  pool: true,
  maxConnections: 3,
  // One that has stopped answering is given up before others may take its mail: see outboxRows.ts.
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  socketTimeout: 10_000,
  disableFileAccess: true,
  disableUrlAccess: true,
})

// Nobody waits for a mail as for an answer. Elsewhere than on Linux this would be about the whole
// process.
if (process.platform === 'linux') setPriority(10)

answerJobs<Mail, Reply>(async ({ id, to, subject, text, html }) => {
  try {
    await transport.sendMail({ from, to, subject, text, html, messageId: `<${id}@${domain}>` })
    return { sent: true }
  } catch (error) {
    return { failed: codeOf(error) }
  }
})
