// Sends the mails about accounts that wait in shop.account_mails, as BullMQ jobs that name no one.
import type { ConnectionOptions } from 'bullmq'
import type { AccountMailKey, AccountServices, ClaimedMail } from '../../commands/accountPorts.ts'
import type { Codec } from '../../commands/ports.ts'
import { addressBefore } from '../../commands/profile.ts'
import type { Shop } from '../../commands/shop.ts'
import type { EventStore } from '../../eventstore/port.ts'
import { codeOf } from '../../kit/codeOf.ts'
import type { Metrics } from '../../metrics.ts'
import { onceAtATime, startJobQueue } from '../jobQueue.ts'
import type { Log } from '../log.ts'
import { composeChanged, composeMoved, composeReset } from './composeAccountMail.ts'
import type { Mail, Mailer } from './mail.ts'

export interface AccountMailParts {
  shop: Shop
  eventStore: EventStore
  codec: Codec
  accounts: AccountServices
  mailer: Mailer
  connection: ConnectionOptions
  shopName: string
  /** The link to set a new password points here, whatever host a request has named. */
  resetPage: string
  metrics: Metrics
  log: Log
}

const sweepMs = 5_000
const sweepMax = 1_000
const attempts = 5

/**
 * Starts the queue and its worker. `wake` enqueues what the table holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startAccountMails(parts: AccountMailParts) {
  const { log, accounts } = parts
  const queue = startJobQueue<AccountMailKey>({
    ...parts,
    name: 'account-mails',
    concurrency: 3,
    work: key => deliver(parts, key),
    naming: ({ mail_id }) => ({ mailId: mail_id }),
  })
  async function enqueue(): Promise<void> {
    const waiting = await accounts.recovery.waiting(sweepMax)
    const jobs = waiting.map(data => ({ id: data.mail_id, name: data.template, data }))
    await queue.add(jobs, { attempts })
  }
  const { wake, settled } = onceAtATime(() =>
    enqueue().catch(error => log.warn({ error: String(error) }, 'mails not queued yet')),
  )
  const sweep = setInterval(wake, sweepMs)
  wake()
  return {
    wake,
    async close() {
      clearInterval(sweep)
      await settled()
      await queue.close()
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
  const claimed = await recovery.claim(key.mail_id)
  if (claimed === undefined) return
  const letter = await write(parts, key, claimed)
  if (letter !== undefined) {
    try {
      await parts.mailer.send(letter.mail)
    } catch (error) {
      parts.metrics.mail(key.template, 'failed')
      if (letter.token !== undefined) await recovery.withdraw(letter.token)
      // A code only: what SMTP servers say may quote the address.
      await recovery.notSent(key.mail_id, codeOf(error))
      throw error
    }
  }
  if (letter !== undefined) parts.metrics.mail(key.template, 'sent')
  await recovery.sent(key.mail_id)
}

/** A letter to whoever the account is of; none to somebody without an address. */
async function write(
  parts: AccountMailParts,
  key: AccountMailKey,
  { customerId, revision }: ClaimedMail,
): Promise<Letter | undefined> {
  const { shop, accounts, shopName, resetPage: page } = parts
  if (customerId === null) return undefined
  const { state } = await shop.customers.load(customerId)
  if (state.status !== 'registered' || state.disabled) return undefined
  const { email, firstName } = state.profile
  const isMoved = key.template === 'email-changed'
  const address = isMoved ? await addressBefore(parts, customerId, revision ?? 0) : email
  if (address?.includes('@') !== true) return undefined
  const to = { id: key.mail_id, to: address, name: firstName ?? state.username, shopName }
  if (isMoved) return { mail: composeMoved(to) }
  if (key.template === 'password-changed') return { mail: composeChanged(to) }
  // Made now, so that it lies nowhere while the mail waits.
  const token = await accounts.recovery.issue(customerId)
  if (token === undefined) return undefined
  return { mail: composeReset(to, { page, uid: customerId, token }), token }
}
