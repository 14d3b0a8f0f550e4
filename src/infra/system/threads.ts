// A worker thread: jobs are sent to it, and each resolves with its reply.
import { parentPort, Worker } from 'node:worker_threads'
import { Unavailable } from '../../ports/eventStore.ts'

export interface Thread<Job, Reply> {
  /** Throws Unavailable when the queue is full, or when the thread ends meanwhile. */
  run(job: Job): Promise<Reply>
  /** Ends the thread; pending jobs throw Unavailable. */
  close(): Promise<void>
}

/** A job or its reply, with the number that tells which belongs to which. */
interface Numbered<Message> {
  number: number
  message: Message
}

export interface ThreadOptions {
  /** What it works on, for what is said when it cannot: such as "passwords". */
  of: string
  /** Jobs under way and waiting together. */
  queueMax: number
  /** What the module finds as `workerData`. */
  workerData?: unknown
}

/**
 * A thread for a module that calls `answerJobs`. It starts with the first job, anew when it has
 * ended, and does not keep the process alive.
 */
export function createThread<Job, Reply>(
  module: URL,
  { of, queueMax, workerData }: ThreadOptions,
): Thread<Job, Reply> {
  const pending = new Map<number, PromiseWithResolvers<Reply>>()
  let thread: Worker | undefined
  let last = 0

  /** Rejects the pending jobs of a thread that has ended; the next job starts another thread. */
  function onGone(gone: Worker) {
    if (thread !== gone) return
    thread = undefined
    for (const { reject } of pending.values())
      reject(new Unavailable(`the thread of ${of} has ended`))
    pending.clear()
  }

  function start(): Worker {
    const started = new Worker(module, { workerData })
    started.on('message', ({ number, message }: Numbered<Reply>) => {
      pending.get(number)?.resolve(message)
      pending.delete(number)
      if (pending.size === 0) started.unref()
    })
    started.on('error', () => onGone(started))
    started.on('exit', () => onGone(started))
    return started
  }

  return {
    async run(job) {
      if (pending.size >= queueMax) throw new Unavailable(`too many ${of} are waiting`)
      thread ??= start()
      last += 1
      const answer: PromiseWithResolvers<Reply> = Promise.withResolvers()
      pending.set(last, answer)
      thread.ref()
      const numbered: Numbered<Job> = { number: last, message: job }
      thread.postMessage(numbered)
      return answer.promise
    },
    async close() {
      await thread?.terminate()
    },
  }
}

/** Answers the jobs of the thread that this runs on. `answer` does not throw. */
export function answerJobs<Job, Reply>(answer: (job: Job) => Reply | Promise<Reply>): void {
  parentPort?.on('message', async ({ number, message }: Numbered<Job>) => {
    const reply: Numbered<Reply> = { number, message: await answer(message) }
    parentPort?.postMessage(reply)
  })
}
