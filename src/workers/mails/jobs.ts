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
import type { Mail, Mailer } from './mail.ts'
import {
  type ClaimedMail,
  createOutboxRows,
  type MailKey,
  type OutboxRows,
  type Outcome,
} from './outboxRows.ts'

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
/** While so many jobs wait there is no need to look for more: each look reads all that wait. */
const waitingJobsMax = 20
/** A mail that Redis has lost is given to it again after this long. */
const repeatMs = 15_000
const attempts = 5
/** Jobs that are done, for those who look at the queue. */
const keptJobs = 100
/** A job is short, so that what it has read of orders and people is not old when it writes them. */
const jobMax = 12
/** So many mails, and no more, may go out again after a kill. */
const atOnce = 3

/** Mails that go out together, in the order of the log. */
interface MailJob {
  mails: MailKey[]
}

/**
 * Starts the queue and its worker. `wake` enqueues what the outbox holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startMailJobs(parts: MailJobParts) {
  const { log } = parts
  const outbox = createOutboxRows(parts.db)
  const closing = new AbortController()
  const delivering = { ...parts, outbox, signal: closing.signal }
  const queue = startJobQueue<MailJob>({
    ...parts,
    name: 'mails',
    concurrency: 1,
    work: ({ mails }) => deliver(delivering, mails),
    naming: ({ mails }) => ({ mails: mails.length }),
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
      closing.abort()
      await enqueuing.settled()
      await queue.close()
    },
  }
}

/** When a mail was last given to Redis. */
type Queued = Map<string, number>

const nameOf = ({ event_id, template }: MailKey) => `${event_id}_${template}`

/** Gives Redis what it has not been given lately. */
async function enqueue(
  db: Kysely<Tables>,
  queue: JobQueue<MailJob>,
  queued: Queued,
): Promise<void> {
  if ((await queue.waiting()) > waitingJobsMax) return
  const now = performance.now()
  for (const [name, at] of queued) if (now - at > repeatMs) queued.delete(name)
  const { rows } = await sql<MailKey>`
    select event_id, template, order_id
    from shop.mails
    where sent_at is null and coalesce(claimed_until, '-infinity') <= now()
    order by queued_at
    limit ${sweepMax}
  `.execute(db)
  const fresh = rows.filter(row => !queued.has(nameOf(row)))
  for (const row of fresh) queued.set(nameOf(row), now)
  const jobs = Array.from({ length: Math.ceil(fresh.length / jobMax) }, (_, part) => {
    const mails = fresh.slice(part * jobMax, (part + 1) * jobMax)
    return { name: 'send', data: { mails } }
  })
  await queue.add(jobs, { attempts, keepDone: keptJobs })
}

/** Once `signal` has aborted no more mails are begun: slow servers must not hold up an end. */
type Delivering = MailJobParts & { outbox: OutboxRows; signal: AbortSignal }

/** Sends mails, a few at once. Throws when there is one of them left to be sent. */
async function deliver(parts: Delivering, keys: readonly MailKey[]): Promise<void> {
  const { outbox, signal } = parts
  // Asked for together they share round trips. What one of them throws is that one's trouble.
  const letters = new Map(keys.map(key => [nameOf(key), letterFor(parts, key)]))
  await Promise.allSettled(letters.values())
  const left: MailKey[] = []
  let code = 'LEFT'
  for (const wave of wavesOf(keys)) {
    const claimed = signal.aborted ? [] : await outbox.claim(wave)
    const taken = new Set(claimed.map(({ key }) => nameOf(key)))
    left.push(...wave.filter(key => !taken.has(nameOf(key))))
    const outcomes = await Promise.all(
      claimed.map(mail => send(parts, mail, letters.get(nameOf(mail.key)))),
    )
    if (outcomes.length > 0) await outbox.settle(outcomes)
    for (const { key, isDone, why } of outcomes) {
      if (isDone) continue
      left.push(key)
      code = why ?? code
    }
  }
  // What somebody else has at the moment, who may die, is looked at again as well.
  if (left.length > 0 && (await outbox.areWaiting(left))) {
    throw Object.assign(new Error('mails are left'), { code })
  }
}

/** In the given order, and never two about one order at once. */
function wavesOf(keys: readonly MailKey[]): MailKey[][] {
  const waves: MailKey[][] = []
  for (const key of keys) {
    const wave = waves.at(-1)
    const isFree = wave?.every(({ order_id }) => order_id !== key.order_id)
    if (wave !== undefined && wave.length < atOnce && isFree) wave.push(key)
    else waves.push([key])
  }
  return waves
}

/** Undefined where there is nobody to write to. */
async function letterFor(
  { shop, shopName }: MailJobParts,
  { event_id, template, order_id }: MailKey,
): Promise<Mail | undefined> {
  const { state: order } = await shop.orders.load(order_id)
  if (order.status === 'none') throw new Error('a mail is due about an order without events')
  const { state: customer } = await shop.customers.load(order.customerId)
  if (customer.status !== 'registered') return undefined
  const { profile, username } = customer
  if (profile.email?.includes('@') !== true) return undefined
  const id = `${event_id}.${template}`
  const name = profile.firstName ?? username
  return compose({ id, template, to: profile.email, name, shopName, order })
}

/** Sends one mail. Never throws: what went wrong is a code. */
async function send(
  { mailer, metrics, tracing, log }: MailJobParts,
  { key, trace }: ClaimedMail,
  writing: Promise<Mail | undefined> | undefined,
): Promise<Outcome> {
  const { template, event_id: eventId } = key
  const parent = traceOf(trace)
  try {
    const letter = await writing
    if (letter === undefined) return { key, isDone: true, why: 'no address' }
    await tracing.span(`mail ${template}`, () => mailer.send(letter), { parent })
    metrics.mail(template, 'sent')
    return { key, isDone: true, why: null }
  } catch (error) {
    metrics.mail(template, 'failed')
    // Codes only: what SMTP servers say may quote the address.
    const why = codeOf(error)
    log.warn({ eventId, template, error: why }, 'mail not sent yet')
    return { key, isDone: false, why }
  }
}
