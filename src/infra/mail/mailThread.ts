// The thread that sends mails over SMTP: putting one together takes as long as projecting a dozen
// events, and live messages must not wait for that.
import { setPriority } from 'node:os'
import { Readable } from 'node:stream'
import { workerData } from 'node:worker_threads'
import { createTransport } from 'nodemailer'
import type { Mail, SendResult } from '../../ports/mail.ts'
import { answerJobs } from '../system/threads.ts'
import { smtpFailure } from './smtpFailures.ts'

export interface MailSettings {
  smtpUrl: string
  from: string
  timeouts: MailTimeouts
}

export interface MailTimeouts {
  /** How long the server may take to be found, to accept a connection, and to greet. */
  connectMs: number
  /** How long it may be silent afterwards. */
  silenceMs: number
}

export interface MailJob {
  mail: Mail
  /** Until when its text may begin to be sent, on the monotonic clock of the process. */
  beginBefore: bigint
}

const { smtpUrl, from, timeouts }: MailSettings = workerData
const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'localhost'
const transport = createTransport({
  url: smtpUrl,
  pool: true,
  maxConnections: 6,
  // Of all of it: from the look-up of the name to the greeting.
  connectionTimeout: timeouts.connectMs,
  socketTimeout: timeouts.silenceMs,
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
    return { accepted: true }
  } catch (error) {
    return smtpFailure(error, sending.hasBegun)
  } finally {
    sendings.delete(messageId)
  }
})
