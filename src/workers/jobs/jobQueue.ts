// A queue of jobs in Redis and its worker, with the same timeouts for every kind.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, DelayedError, Queue, type Job as QueuedJob, Worker } from 'bullmq'
import { Overdue, withDeadline } from '../../kit/deadline.ts'
import { codeOf } from '../../kit/errorCode.ts'
import type { Log } from '../../ports/log.ts'

/**
 * A job that takes longer has hung: it fails, and is queued again from its table. BullMQ alone
 * would hold it as long as the process lives.
 */
const jobMsMax = 120_000
/** The same for a poll of the table. */
const pollMsMax = 60_000

/** Every queue of the shop. The tables are authoritative; a queue only holds ids. */
export const queueNames = ['mails', 'account-mails', 'images', 'imports', 'webhooks'] as const
export type QueueName = (typeof queueNames)[number]

export interface JobQueueOptions<Data> {
  name: QueueName
  connection: ConnectionOptions
  /** Jobs at the same time in this process. */
  concurrency: number
  log: Log
  work(data: Data): Promise<void>
  /** How long one may take. */
  jobMs?: number
  /** Fields that identify a failed job in the log: ids only. */
  naming(data: Data): object
}

/** Thrown by work that has no capacity now: the job runs again after a delay, as if new. */
export class Postponed extends Error {
  readonly ms: number

  constructor(ms: number) {
    super(`postponed for ${ms} ms`)
    this.name = 'Postponed'
    this.ms = ms
  }
}

export interface Job<Data> {
  /** A job whose id is in the queue already is not added; without an id each job is new. */
  id?: string
  name: string
  data: Data
}

export interface RetryPolicy {
  /** Attempts before the job has to be queued again from its table. Default: one. */
  attempts?: number
  /** How many finished jobs are kept for inspection; while one is, its id cannot be added. */
  keepDone?: number
  keepFailed?: number
}

export interface JobQueue<Data> {
  add(jobs: readonly Job<Data>[], retryPolicy?: RetryPolicy): Promise<void>
  /** The number of queued jobs. */
  waiting(): Promise<number>
  /** Called when the queue is empty. */
  onDrained(listener: () => void): void
  /** Called when a job is done. */
  onDone(listener: () => void): void
  close(): Promise<void>
}

/** Starts a queue and its worker. */
export function startJobQueue<Data>(options: JobQueueOptions<Data>): JobQueue<Data> {
  const { name, connection, concurrency, log } = options
  const queue = new Queue<Data, void, string, Data, void, string>(name, { connection })
  const work = (data: Data) =>
    withDeadline(options.jobMs ?? jobMsMax, `a job of ${name}`, options.work(data))
  const process = async (job: QueuedJob<Data, void, string>, token?: string) => {
    try {
      await work(job.data)
    } catch (error) {
      if (!(error instanceof Postponed)) throw error
      await job.moveToDelayed(Date.now() + error.ms, token)
      throw new DelayedError()
    }
  }
  const worker = new Worker<Data, void, string>(name, process, {
    connection: { ...connection, maxRetriesPerRequest: null },
    concurrency,
    // A worker that is killed twice must not lose the job (the default is 1).
    maxStalledCount: 20,
    lockDuration: 10_000,
    stalledInterval: 5_000,
  })
  const endWorker = closeOf(worker)
  queue.on('error', error => log.warn({ queue: name, error: error.message }, 'queue'))
  worker.on('error', error => log.warn({ queue: name, error: error.message }, 'worker'))
  worker.on('failed', (job, error) => {
    const named = job === undefined ? {} : options.naming(job.data)
    log.warn({ queue: name, ...named, error: codeOf(error) }, 'job not done yet')
  })
  return {
    async add(jobs, { attempts = 1, keepDone = 0, keepFailed = 0 } = {}) {
      if (jobs.length === 0) return
      const opts = {
        attempts,
        backoff: { type: 'exponential', delay: 1_000 },
        removeOnComplete: { count: keepDone },
        removeOnFail: { count: keepFailed },
      }
      await queue.addBulk(
        jobs.map(({ id, name, data }) => {
          return { name, data, opts: { ...opts, ...(id !== undefined && { jobId: id }) } }
        }),
      )
    },
    waiting: () => queue.getWaitingCount(),
    onDrained: listener => void worker.on('drained', listener),
    onDone: listener => void worker.on('completed', () => listener()),
    async close() {
      await endWorker()
      await queue.close()
    },
  }
}

/** Longer than the stop timeout of any supervisor; interrupted jobs are queued again. */
const endMsMax = 20_000

/**
 * Closes a worker after its running jobs, within a deadline. A worker that has never reached Redis
 * has no jobs, and its close would never return.
 */
export function closeOf(worker: Pick<Worker, 'waitUntilReady' | 'close'>): () => Promise<void> {
  let isReached = false
  worker.waitUntilReady().then(
    () => {
      isReached = true
    },
    () => undefined,
  )
  return async () => {
    const ending = worker.close().catch(() => undefined)
    if (isReached)
      await withDeadline(endMsMax, 'the end of a worker', ending).catch(() => undefined)
  }
}

/** Deadline for a running poll when the process stops: it may be waiting for Redis. */
const drainMsMax = 1_500

/** Waits for a running poll, but not for long: the next process finds the rest. */
export async function drained(underWay: Promise<unknown> | undefined): Promise<void> {
  await withDeadline(drainMsMax, 'the end of a poll', Promise.resolve(underWay)).catch(
    () => undefined,
  )
}

/** All queues, for inspection only. The given Redis client is shared. */
export function openQueues(connection: ConnectionOptions) {
  const queues = queueNames.map(name => new Queue(name, { connection }))
  // Without a listener a lost connection would end the process.
  for (const queue of queues) queue.on('error', () => undefined)
  return {
    queues,
    async close() {
      await Promise.all(queues.map(queue => queue.close()))
    },
  }
}

/** At most one poll per 100 ms, however often it is signalled. */
const restMs = 100

/**
 * Runs `work` when signalled, at most once per interval. A signal during a run leads to one more
 * run.
 */
export function onceAtATime(work: () => Promise<void>, timeoutMs = pollMsMax) {
  let running: Promise<void> | undefined
  let again = false
  let resumeAt = 0
  const run = async () => {
    do {
      const rest = resumeAt - performance.now()
      if (rest > 0) await sleep(rest)
      again = false
      // A hung poll must not block all later ones.
      await withDeadline(timeoutMs, 'a poll', work()).catch(error => {
        if (!(error instanceof Overdue)) throw error
      })
      resumeAt = performance.now() + restMs
    } while (again)
    running = undefined
  }
  return {
    notify() {
      again = true
      running ??= run()
    },
    settled: () => drained(running),
  }
}
