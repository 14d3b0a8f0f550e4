// Sends the mails of the outbox as BullMQ jobs. The outbox is the truth, Redis only the queue.
import { type ConnectionOptions, Queue, Worker } from 'bullmq'
import { type Kysely, sql } from 'kysely'
import type { Shop } from '../../commands/shop.ts'
import type { Tables } from '../../projections/tables.ts'
import type { Log } from '../log.ts'
import { compose } from './compose.ts'
import type { Mailer } from './mail.ts'
import type { MailTemplate } from './outbox.ts'

export interface MailJobParts {
  db: Kysely<Tables>
  shop: Shop
  mailer: Mailer
  connection: ConnectionOptions
  shopName: string
  log: Log
}

interface MailKey {
  event_id: string
  template: MailTemplate
}

const queueName = 'mails'
const sweepMs = 5_000
const sweepMax = 1_000
/** A job that Redis has lost is given to it again after this long. */
const repeatMs = 15_000
const attempts = 5

/**
 * Starts the queue and its worker. `wake` enqueues what the outbox holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startMailJobs(parts: MailJobParts) {
  const { log, connection } = parts
  const queue = new Queue<MailKey>(queueName, { connection })
  const worker = new Worker<MailKey>(queueName, job => deliver(parts, job.data), {
    connection: { ...connection, maxRetriesPerRequest: null },
    concurrency: 3,
    // A worker that is killed twice must not lose the job (the default is 1).
    maxStalledCount: 20,
    lockDuration: 10_000,
    stalledInterval: 5_000,
  })
  queue.on('error', error => log.warn({ error: error.message }, 'mail queue'))
  worker.on('error', error => log.warn({ error: error.message }, 'mail worker'))
  worker.on('failed', (job, error) =>
    log.warn({ eventId: job?.data.event_id, error: error.message }, 'mail not sent yet'),
  )

  const queued: Queued = new Map()
  const enqueuing = onceAtATime(() =>
    enqueue(parts.db, queue, queued).catch(error =>
      log.warn({ error: String(error) }, 'mails not queued yet'),
    ),
  )
  worker.on('drained', enqueuing.wake)
  const sweep = setInterval(enqueuing.wake, sweepMs)
  enqueuing.wake()
  return {
    wake: enqueuing.wake,
    async close() {
      clearInterval(sweep)
      await enqueuing.settled()
      await worker.close()
      await queue.close()
    },
  }
}

/** Runs `work` when woken; woken while it runs, it runs once more after that. */
function onceAtATime(work: () => Promise<void>) {
  let running: Promise<void> | undefined
  let again = false
  const run = async () => {
    do {
      again = false
      await work()
    } while (again)
    running = undefined
  }
  return {
    wake() {
      again = true
      running ??= run()
    },
    settled: async () => running,
  }
}

/** When a job was last given to Redis, by its id. */
type Queued = Map<string, number>

const jobIdOf = (key: MailKey) => `${key.event_id}_${key.template}`

/** Gives Redis what it has not been given lately. */
async function enqueue(db: Kysely<Tables>, queue: Queue<MailKey>, queued: Queued): Promise<void> {
  const now = performance.now()
  for (const [id, at] of queued) if (now - at > repeatMs) queued.delete(id)
  const { rows } = await sql<MailKey>`
    select event_id, template
    from shop.mails
    where sent_at is null
    order by queued_at
    limit ${sweepMax}
  `.execute(db)
  const fresh = rows.filter(row => !queued.has(jobIdOf(row)))
  for (const row of fresh) queued.set(jobIdOf(row), now)
  if (fresh.length === 0) return
  await queue.addBulk(
    fresh.map(data => ({
      name: data.template,
      data,
      opts: {
        // The same job again is no job while the first is in the queue; the outbox knows the rest.
        jobId: jobIdOf(data),
        attempts,
        backoff: { type: 'exponential', delay: 1_000 },
        removeOnComplete: true,
        removeOnFail: true,
      },
    })),
  )
}

async function deliver(parts: MailJobParts, key: MailKey): Promise<void> {
  const { db, shop, mailer, shopName } = parts
  const orderId = await claim(db, key)
  if (orderId === undefined) return
  const { state: order } = await shop.orders.load(orderId)
  if (order.status === 'none') return
  const { state: customer } = await shop.customers.load(order.customerId)
  if (customer.status !== 'registered') return markSent(db, key, 'no address')
  const { profile, username } = customer
  if (profile.email?.includes('@') !== true) return markSent(db, key, 'no address')
  const mail = compose({
    id: `${key.event_id}.${key.template}`,
    template: key.template,
    to: profile.email,
    name: profile.firstName ?? username,
    shopName,
    order,
  })
  try {
    await mailer.send(mail)
  } catch (error) {
    await noteFailure(db, key, error)
    throw error
  }
  await markSent(db, key, null)
}

/** The order of a mail that is still to be sent. */
async function claim(db: Kysely<Tables>, { event_id, template }: MailKey) {
  const { rows } = await sql<{ order_id: string }>`
    update shop.mails
    set attempts = attempts + 1
    where event_id = ${event_id} and template = ${template} and sent_at is null
    returning order_id
  `.execute(db)
  return rows[0]?.order_id
}

async function markSent(db: Kysely<Tables>, { event_id, template }: MailKey, why: string | null) {
  await sql`
    update shop.mails
    set sent_at = now(), last_error = ${why}
    where event_id = ${event_id} and template = ${template}
  `.execute(db)
}

async function noteFailure(db: Kysely<Tables>, { event_id, template }: MailKey, error: unknown) {
  // Codes only: what SMTP servers say may quote the address.
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
  await sql`
    update shop.mails
    set last_error = ${code}
    where event_id = ${event_id} and template = ${template}
  `.execute(db)
}
