// Sends the mails of the outbox as BullMQ jobs. The outbox is the truth, Redis only the queue.
import type { ConnectionOptions } from 'bullmq'
import { type Kysely, sql } from 'kysely'
import type { Shop } from '../../commands/shop.ts'
import { codeOf } from '../../kit/codeOf.ts'
import type { Metrics } from '../../metrics.ts'
import type { Tables } from '../../projections/tables.ts'
import { type Tracing, traceOf } from '../../tracing.ts'
import { type JobQueue, onceAtATime, startJobQueue } from '../jobQueue.ts'
import type { Log } from '../log.ts'
import { compose } from './compose.ts'
import type { Mailer } from './mail.ts'
import { createOutboxRows, type MailKey, type OutboxRows } from './outboxRows.ts'

export interface MailJobParts {
  db: Kysely<Tables>
  shop: Shop
  mailer: Mailer
  connection: ConnectionOptions
  shopName: string
  metrics: Metrics
  tracing: Tracing
  log: Log
}

const sweepMs = 5_000
const sweepMax = 1_000
/** A job that Redis has lost is given to it again after this long. */
const repeatMs = 15_000
const attempts = 5
/** Mails that were sent, for those who look at the queue. */
const keptJobs = 100

/**
 * Starts the queue and its worker. `wake` enqueues what the outbox holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startMailJobs(parts: MailJobParts) {
  const { log } = parts
  const inTurn = createTurns()
  const outbox = createOutboxRows(parts.db)
  const queue = startJobQueue<MailKey>({
    ...parts,
    name: 'mails',
    // So many mails, and no more, may go out again after a kill.
    concurrency: 3,
    // Jobs begin in the order of the log, but not all of them take as long.
    work: key => inTurn(key.order_id, () => deliver({ ...parts, outbox }, key)),
    naming: ({ event_id }) => ({ eventId: event_id }),
  })
  const queued: Queued = new Map()
  const enqueuing = onceAtATime(() =>
    enqueue(parts.db, queue, queued).catch(error =>
      log.warn({ error: String(error) }, 'mails not queued yet'),
    ),
  )
  queue.onDrained(enqueuing.wake)
  const sweep = setInterval(enqueuing.wake, sweepMs)
  enqueuing.wake()
  return {
    wake: enqueuing.wake,
    async close() {
      clearInterval(sweep)
      await enqueuing.settled()
      await queue.close()
    },
  }
}

/** Runs what belongs to one key one after the other, in the order of asking. */
function createTurns() {
  const last = new Map<string, Promise<void>>()
  return (key: string, work: () => Promise<void>): Promise<void> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work)
    const settled = turn.catch(() => undefined)
    last.set(key, settled)
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key)
    })
    return turn
  }
}

/** When a job was last given to Redis, by its id. */
type Queued = Map<string, number>

const jobIdOf = (key: MailKey) => `${key.event_id}_${key.template}`

/** Gives Redis what it has not been given lately. */
async function enqueue(
  db: Kysely<Tables>,
  queue: JobQueue<MailKey>,
  queued: Queued,
): Promise<void> {
  const now = performance.now()
  for (const [id, at] of queued) if (now - at > repeatMs) queued.delete(id)
  const { rows } = await sql<MailKey>`
    select event_id, template, order_id
    from shop.mails
    where sent_at is null
    order by queued_at
    limit ${sweepMax}
  `.execute(db)
  const fresh = rows.filter(row => !queued.has(jobIdOf(row)))
  for (const row of fresh) queued.set(jobIdOf(row), now)
  const jobs = fresh.map(data => ({ id: jobIdOf(data), name: data.template, data }))
  await queue.add(jobs, { attempts, keepDone: keptJobs })
}

type Delivering = MailJobParts & { outbox: OutboxRows }

async function deliver(parts: Delivering, key: MailKey): Promise<void> {
  const claimed = await parts.outbox.claim(key)
  if (claimed === undefined) return
  const { order_id: orderId, trace } = claimed
  const parent = traceOf(trace)
  await parts.tracing.span(`mail ${key.template}`, () => send(parts, key, orderId), { parent })
}

async function send(parts: Delivering, key: MailKey, orderId: string): Promise<void> {
  const { outbox, shop, mailer, shopName, metrics } = parts
  const { state: order } = await shop.orders.load(orderId)
  if (order.status === 'none') return
  const { state: customer } = await shop.customers.load(order.customerId)
  if (customer.status !== 'registered') return outbox.markSent(key, 'no address')
  const { profile, username } = customer
  if (profile.email?.includes('@') !== true) return outbox.markSent(key, 'no address')
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
    metrics.mail(key.template, 'failed')
    // Codes only: what SMTP servers say may quote the address.
    await outbox.noteFailure(key, codeOf(error))
    throw error
  }
  metrics.mail(key.template, 'sent')
  await outbox.markSent(key, null)
}
