// A queue of jobs in Redis and the worker that does them: the same patience for every kind.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, DelayedError, Queue, type Job as QueuedJob, Worker } from 'bullmq'
import { Overdue, withDeadline } from '../../kit/deadline.ts'
import { codeOf } from '../../kit/errorCode.ts'
import type { Log } from '../../ports/log.ts'

/**
 * A job that takes longer hangs: it fails, its place is free for others, and its table brings it
 * again. The queue itself would hold it for ever, because it is the process that keeps it there.
 */
const jobMsMax = 120_000
/** The same for looking after what is to be queued. */
const pollMsMax = 60_000

/** Every queue of the shop. Tables hold the truth; a queue only says what is to be looked at. */
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
  /** What tells a failed job from others in the log: ids alone. */
  naming(data: Data): object
}

/** Thrown by work for which there is no room now: it is tried again a little later, as if new. */
export class Postponed extends Error {
  readonly ms: number

  constructor(ms: number) {
    super(`postponed for ${ms} ms`)
    this.name = 'Postponed'
    this.ms = ms
  }
}

export interface Job<Data> {
  /** The same job again is no job while the first is in the queue; without one, each is another. */
  id?: string
  name: string
  data: Data
}

export interface RetryPolicy {
  /** How often it is tried before the tables have to bring it again. Default: once. */
  attempts?: number
  /** How many ended jobs stay to be looked at; while one does, its id is no new job. */
  keepDone?: number
  keepFailed?: number
}

export interface JobQueue<Data> {
  add(jobs: readonly Job<Data>[], retryPolicy?: RetryPolicy): Promise<void>
  /** How many jobs wait for a worker. */
  waiting(): Promise<number>
  /** Told whenever nothing waits any more. */
  onDrained(listener: () => void): void
  /** Told whenever a job is done. */
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

/** Longer than anybody waits for a process to end; jobs that are cut off come again. */
const endMsMax = 20_000

/**
 * How to end a worker: its jobs are waited for, but not for ever. One that has never reached Redis
 * has none, and would never end by itself.
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

/** At the end of a process a look is waited for so long: it may be waiting for Redis itself. */
const drainMsMax = 1_500

/** Waits for what is under way, but not for long: what it has not done is found again. */
export async function drained(underWay: Promise<unknown> | undefined): Promise<void> {
  await withDeadline(drainMsMax, 'the end of a look', Promise.resolve(underWay)).catch(
    () => undefined,
  )
}

/** All queues, to look at; they work on nothing. A client of Redis given here is shared. */
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

/** Who is woken all the time looks no oftener than this: each look costs a round trip. */
const restMs = 100

/**
 * Runs `work` when woken, at once after a rest; woken while it runs or rests, it runs once more
 * after that.
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
      // What hangs must not keep it from ever running again.
      await withDeadline(timeoutMs, 'a look', work()).catch(error => {
        if (!(error instanceof Overdue)) throw error
      })
      resumeAt = performance.now() + restMs
    } while (again)
    running = undefined
  }
  return {
    wake() {
      again = true
      running ??= run()
    },
    settled: () => drained(running),
  }
}
