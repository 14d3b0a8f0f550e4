// Sends the webhooks that are due as BullMQ jobs. The deliveries are the truth, not the queue.
import type { ConnectionOptions } from 'bullmq'
import type { App } from '../../../commands/core/app.ts'
import { createFairSemaphore } from '../../../kit/fairSemaphore.ts'
import type { Log } from '../../../ports/log.ts'
import type { Metrics } from '../../../ports/metrics.ts'
import { type Tracing, traceOf } from '../../../ports/tracing.ts'
import type {
  WebhookAnswer,
  WebhookMessage,
  WebhookSender,
  Webhooks,
} from '../../../ports/webhooks.ts'
import { onceAtATime, Postponed, startJobQueue } from '../../jobs/jobQueue.ts'
import {
  type Attempt,
  type Claimed,
  claim,
  delivered,
  dropOld,
  dueAttempts,
  failed,
  keepBody,
} from './deliveries.ts'
import { messageInLog } from './messageInLog.ts'
import { type ReplayParts, replayOn } from './replay.ts'
import { signatures } from './signature.ts'

export interface WebhookRetryPolicy {
  /** The wait behind the first failed attempt; each further one is four times as long. */
  retrySeconds: number
  attemptsMax: number
  failuresMax: number
}

export interface WebhookJobParts extends ReplayParts {
  app: App
  webhooks: Webhooks
  sender: WebhookSender
  connection: ConnectionOptions
  retryPolicy: WebhookRetryPolicy
  metrics: Metrics
  tracing: Tracing
  log: Log
}

const sweepMs = 1_000
const oldSweepMs = 3_600_000
const keptJobs = 200
/** Deliveries at once, of all endpoints and of one of them. */
const placesMax = 50
const placesEach = 10
/** Until an endpoint that has enough places is looked at again. */
const postponeMs = 250
const waitMaxMs = 24 * 3_600_000

/**
 * Starts the queue and its worker. `wake` enqueues what is due; so does a sweep every second, which
 * also brings back what a lost Redis has forgotten and what a worker that died was at.
 */
export function startWebhookJobs(parts: WebhookJobParts) {
  const { db, log } = parts
  const queue = startJobQueue<Attempt>({
    ...parts,
    name: 'webhooks',
    concurrency: placesMax,
    work: inShares(attempt => deliver(parts, attempt)),
    naming: attempt => attempt,
  })
  const enqueuing = onceAtATime(() =>
    enqueue().catch(error => log.warn({ error: String(error) }, 'webhooks not queued yet')),
  )
  async function enqueue() {
    const due = await dueAttempts(db)
    const jobs = due.map(attempt => ({ id: jobIdOf(attempt), name: 'deliver', data: attempt }))
    await queue.add(jobs, { keepDone: keptJobs, keepFailed: keptJobs })
  }
  const replaying = onceAtATime(async () => {
    try {
      while (await replayOn(parts)) enqueuing.notify()
    } catch (error) {
      log.warn({ error: String(error) }, 'webhooks not replayed yet')
    }
  })
  const wake = () => {
    enqueuing.notify()
    replaying.notify()
  }
  const sweep = setInterval(wake, sweepMs)
  const oldSweep = setInterval(() => {
    dropOld(db).catch(error => log.warn({ error: String(error) }, 'deliveries not swept'))
  }, oldSweepMs)
  queue.onDrained(enqueuing.notify)
  wake()
  return {
    wake,
    async close() {
      clearInterval(sweep)
      clearInterval(oldSweep)
      await replaying.settled()
      await enqueuing.settled()
      await queue.close()
    },
  }
}

/** One attempt has one id: Redis may keep the ended ones, and none stands in another's way. */
const jobIdOf = ({ delivery_id, attempts }: Attempt) => `${delivery_id}_${attempts}`

/**
 * One endpoint that does not answer holds its deliveries as long as they may take: it gets a share
 * of the places, so that those of all others go on.
 */
function inShares(work: (attempt: Attempt) => Promise<void>) {
  const places = createFairSemaphore([placesMax], placesEach)
  return async (attempt: Attempt) => {
    const { endpoint_id: by } = attempt
    const leave = places.take({ by, from: by, level: 0 })
    if (leave === undefined) throw new Postponed(postponeMs)
    try {
      await work(attempt)
    } finally {
      leave()
    }
  }
}

async function deliver(parts: WebhookJobParts, attempt: Attempt): Promise<void> {
  const claimed = await claim(parts.db, attempt)
  if (claimed === undefined) return
  const { trace, message } = claimed
  await parts.tracing.span(`webhook ${message.type}`, () => send(parts, attempt, claimed), {
    parent: traceOf(trace),
  })
}

async function send(parts: WebhookJobParts, { delivery_id: id }: Attempt, claimed: Claimed) {
  const { db, webhooks, sender, metrics } = parts
  const target = await webhooks.targetOf(claimed.endpoint_id)
  const message = await messageInLog(parts, claimed)
  // Somebody has written the row past the shop: nothing is signed that did not happen.
  if (message === undefined || target?.events.includes(message.type) !== true) {
    const error = message === undefined ? 'not-in-log' : 'not-wanted'
    return giveUpOrWait(parts, id, { answer: { error }, claimed })
  }
  const body = await bodyOf(parts, message)
  if (claimed.body !== body) await keepBody(db, id, body)
  const timestamp = Math.floor(Date.now() / 1_000)
  const signed = { id: claimed.event_id, timestamp, body }
  const answer = await sender.send({
    url: target.url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Orderstream-Webhooks/1',
      'webhook-id': claimed.event_id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatures(target.secrets, signed),
    },
    body,
  })
  const isTaken = 'status' in answer && answer.status >= 200 && answer.status < 300
  metrics.webhook(isTaken ? 'delivered' : 'failed')
  if (isTaken) await delivered(db, id, answer.status)
  else await giveUpOrWait(parts, id, { answer, claimed })
}

/** Orders are named as people name them; neither number nor total ever changes. */
async function bodyOf({ app }: WebhookJobParts, message: WebhookMessage): Promise<string> {
  const { type, timestamp, data } = message
  const isOrder = type.startsWith('order.') && typeof data.orderId === 'string'
  if (!isOrder) return JSON.stringify({ type, timestamp, data })
  const { state } = await app.orders.load(String(data.orderId))
  const more =
    state.status === 'none'
      ? {}
      : { orderNumber: state.orderNumber, customerId: state.customerId, total: state.total }
  return JSON.stringify({ type, timestamp, data: { ...data, ...more } })
}

async function giveUpOrWait(
  { db, retryPolicy, log }: WebhookJobParts,
  deliveryId: string,
  { answer, claimed }: { answer: WebhookAnswer; claimed: Claimed },
) {
  const isLast = claimed.tries >= retryPolicy.attemptsMax
  const status = 'status' in answer ? answer.status : null
  const error = 'error' in answer ? answer.error : null
  const isDisabled = await failed(db, deliveryId, {
    status,
    error,
    waitMs: isLast ? null : waitMs(retryPolicy, claimed.tries),
    failuresMax: retryPolicy.failuresMax,
  })
  const about = { deliveryId, endpointId: claimed.endpoint_id, status, error }
  if (isLast) log.error({ event: 'webhook-dead', ...about }, 'webhook given up')
  if (isDisabled) log.error({ event: 'webhook-disabled', ...about }, 'webhook endpoint left alone')
  // All that has to be done is done; this is for those who look at the queue.
  throw Object.assign(new Error('not taken'), { code: error ?? `HTTP ${status}` })
}

/** With jitter, so that what failed together does not come back together. */
function waitMs({ retrySeconds }: WebhookRetryPolicy, tries: number): number {
  const full = Math.min(waitMaxMs, retrySeconds * 1_000 * 4 ** (tries - 1))
  return Math.round(full * (0.5 + Math.random() / 2))
}
