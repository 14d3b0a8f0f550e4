// The thread that sends mails over SMTP: putting one together takes as long as projecting a dozen
// events, and people who follow their orders live wait for those.
import { setPriority } from 'node:os'
import { Readable } from 'node:stream'
import { workerData } from 'node:worker_threads'
import { createTransport } from 'nodemailer'
import type { Mail, SendResult } from '../workers/mails/mail.ts'
import { smtpFailure } from './smtpFailures.ts'
import { answerJobs } from './threads.ts'

export interface MailSettings {
  smtpUrl: string
  from: string
}

export interface MailJob {
  mail: Mail
  /** Until when its text may begin to be sent, on the monotonic clock of the process. */
  beginBefore: bigint
}

const { smtpUrl, from }: MailSettings = workerData
const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'localhost'
const transport = createTransport({
  url: smtpUrl,
  pool: true,
  maxConnections: 6,
  dnsTimeout: 5_000,
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  // A server may look at a mail for long before it says that it has taken it (RFC 5321, 4.5.3.2):
  // giving up earlier would send the mail again.
  socketTimeout: 60_000,
  disableFileAccess: true,
  disableUrlAccess: true,
})

/** What is known of the mail that has a message id. */
interface Sending {
  beginBefore: bigint
  hasBegun: boolean
}
const sendings = new Map<string, Sending>()

// The text of a mail is read only once the server asks for it, so this is the last moment at which
// it can be held back.
transport.use('stream', (mail, done) => {
  const sending = sendings.get(mail.message.messageId())
  mail.message.processFunc(text => Readable.from(guarded(text, sending)))
  done()
})

async function* guarded(text: AsyncIterable<Buffer>, sending: Sending | undefined) {
  if (sending === undefined || process.hrtime.bigint() > sending.beginBefore) {
    throw Object.assign(new Error('it took too long to reach the server'), { code: 'ELATE' })
  }
  sending.hasBegun = true
  yield* text
}

// Nobody waits for a mail as for an answer. Elsewhere than on Linux this would be about the whole
// process.
if (process.platform === 'linux') setPriority(10)

answerJobs<MailJob, SendResult>(async ({ mail: { id, to, subject, text, html }, beginBefore }) => {
  const messageId = `<${id}@${domain}>`
  const sending: Sending = { beginBefore, hasBegun: false }
  sendings.set(messageId, sending)
  try {
    await transport.sendMail({ from, to, subject, text, html, messageId })
    return { taken: true }
  } catch (error) {
    return smtpFailure(error, sending.hasBegun)
  } finally {
    sendings.delete(messageId)
  }
})
