// Sends the mails about accounts that wait in shop.account_mails, as BullMQ jobs that name no one.
import { type ConnectionOptions, Queue, Worker } from 'bullmq'
import type { AccountMailKey, AccountServices } from '../../commands/accountPorts.ts'
import type { Shop } from '../../commands/shop.ts'
import type { Log } from '../log.ts'
import { composeChanged, composeReset } from './composeAccountMail.ts'
import type { Mail, Mailer } from './mail.ts'

export interface AccountMailParts {
  shop: Shop
  accounts: AccountServices
  mailer: Mailer
  connection: ConnectionOptions
  shopName: string
  /** Links point here, whatever host a request has named. */
  publicUrl: string
  log: Log
}

const queueName = 'account-mails'
const sweepMs = 5_000
const sweepMax = 1_000
const attempts = 5

/**
 * Starts the queue and its worker. `wake` enqueues what the table holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startAccountMails(parts: AccountMailParts) {
  const { log, connection, accounts } = parts
  const queue = new Queue<AccountMailKey>(queueName, { connection })
  const worker = new Worker<AccountMailKey>(queueName, job => deliver(parts, job.data), {
    connection: { ...connection, maxRetriesPerRequest: null },
    concurrency: 3,
    // A worker that is killed twice must not lose the job (the default is 1).
    maxStalledCount: 20,
    lockDuration: 10_000,
    stalledInterval: 5_000,
  })
  queue.on('error', error => log.warn({ error: error.message }, 'account mail queue'))
  worker.on('error', error => log.warn({ error: error.message }, 'account mail worker'))
  worker.on('failed', (job, error) =>
    log.warn({ job: job?.id, error: codeOf(error) }, 'account mail not sent yet'),
  )

  async function enqueue(): Promise<void> {
    await queue.addBulk((await accounts.recovery.waiting(sweepMax)).map(jobOf))
  }

  let running: Promise<void> | undefined
  let again = false
  const run = async () => {
    do {
      again = false
      await enqueue().catch(error => log.warn({ error: String(error) }, 'mails not queued yet'))
    } while (again)
    running = undefined
  }
  const wake = () => {
    again = true
    running ??= run()
  }
  const sweep = setInterval(wake, sweepMs)
  wake()
  return {
    wake,
    async close() {
      clearInterval(sweep)
      await running
      await worker.close()
      await queue.close()
    },
  }
}

function jobOf(data: AccountMailKey) {
  return {
    name: data.template,
    data,
    opts: {
      // The same job again is no job while the first is in the queue; the table knows the rest.
      jobId: data.mail_id,
      attempts,
      backoff: { type: 'exponential', delay: 1_000 },
      removeOnComplete: true,
      removeOnFail: true,
    },
  }
}

interface Letter {
  mail: Mail
  /** The reset token in it. */
  token?: string
}

async function deliver(parts: AccountMailParts, key: AccountMailKey): Promise<void> {
  const { recovery } = parts.accounts
  const customerId = await recovery.claim(key.mail_id)
  if (customerId === undefined) return
  const letter = customerId === null ? undefined : await write(parts, key, customerId)
  if (letter !== undefined) {
    try {
      await parts.mailer.send(letter.mail)
    } catch (error) {
      if (letter.token !== undefined) await recovery.withdraw(letter.token)
      // A code only: what SMTP servers say may quote the address.
      await recovery.notSent(key.mail_id, codeOf(error))
      throw error
    }
  }
  await recovery.sent(key.mail_id)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'failed'
}

/** A letter to whoever the account is of; none to somebody without an address. */
async function write(
  { shop, accounts, shopName, publicUrl }: AccountMailParts,
  key: AccountMailKey,
  customerId: string,
): Promise<Letter | undefined> {
  const { state } = await shop.customers.load(customerId)
  if (state.status !== 'registered' || state.disabled) return undefined
  const { email, firstName } = state.profile
  if (email?.includes('@') !== true) return undefined
  const to = { id: key.mail_id, to: email, name: firstName ?? state.username, shopName }
  if (key.template === 'password-changed') return { mail: composeChanged(to) }
  // Made now, so that it lies nowhere while the mail waits.
  const token = await accounts.recovery.issue(customerId)
  if (token === undefined) return undefined
  return { mail: composeReset(to, { publicUrl, uid: customerId, token }), token }
}
