// Password hashes: peppered, then bcrypt, on one thread of their own with a bounded queue.
import { createHmac } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { Passwords } from '../commands/accountPorts.ts'
import { Unavailable } from '../eventstore/port.ts'
import type { Job, Reply } from './passwordWorker.ts'
import type { Secrets } from './secrets.ts'

export interface PasswordsOptions {
  /** Two to the power of this many rounds: 10 takes some 90 ms. */
  cost?: number
  /** Under way and waiting together. */
  queueMax?: number
}

export interface PasswordHasher extends Passwords {
  /** Ends the thread; whoever still waits gets Unavailable. */
  close(): Promise<void>
}

type Task = { task: 'hash'; cost: number } | { task: 'verify'; hash: string }

/**
 * Hashes with a pepper that is not in the database. The thread starts with the first password and
 * does not keep the process alive.
 */
export function createPasswords(
  secrets: Secrets,
  { cost = 10, queueMax = 20 }: PasswordsOptions = {},
): PasswordHasher {
  const queue = createQueue(queueMax)
  const ask = (password: string, task: Task) =>
    queue.ask({ ...task, input: peppered(secrets, password) })
  // Well-formed, and no password is known to lead to it.
  const nobody = `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`
  return {
    async hash(password) {
      const reply = await ask(password, { task: 'hash', cost })
      if (!('hash' in reply)) throw new Error('the password thread mixed up its answers')
      return reply.hash
    },
    async verify(password, hash) {
      const reply = await ask(password, { task: 'verify', hash })
      return 'matches' in reply && reply.matches
    },
    async verifyNothing(password) {
      await ask(password, { task: 'verify', hash: nobody })
      return false
    },
    close: () => queue.close(),
  }
}

/**
 * 64 characters for bcrypt, which ignores everything behind its 72nd byte: so no password is cut
 * off, and hashes are worth nothing without the pepper.
 */
function peppered(secrets: Secrets, password: string): string {
  const hmac = createHmac('sha384', secrets.key('pepper'))
  return hmac.update(password.normalize('NFKC')).digest('base64')
}

type Unnumbered<Kind> = Kind extends Job ? Omit<Kind, 'id'> : never

function createQueue(queueMax: number) {
  const waiting = new Map<number, PromiseWithResolvers<Reply>>()
  let thread: Worker | undefined
  let lastId = 0

  /** Fails everybody who waits for a thread that is gone; the next job starts another. */
  function onGone(gone: Worker) {
    if (thread !== gone) return
    thread = undefined
    for (const { reject } of waiting.values()) reject(new Unavailable('passwords cannot be hashed'))
    waiting.clear()
  }

  function start(): Worker {
    const started = new Worker(new URL('./passwordWorker.ts', import.meta.url))
    started.on('message', (reply: Reply) => {
      waiting.get(reply.id)?.resolve(reply)
      waiting.delete(reply.id)
      if (waiting.size === 0) started.unref()
    })
    started.on('error', () => onGone(started))
    started.on('exit', () => onGone(started))
    return started
  }

  return {
    async ask(job: Unnumbered<Job>): Promise<Reply> {
      if (waiting.size >= queueMax) throw new Unavailable('too many passwords are waiting')
      thread ??= start()
      lastId += 1
      const answer: PromiseWithResolvers<Reply> = Promise.withResolvers()
      waiting.set(lastId, answer)
      thread.ref()
      thread.postMessage({ ...job, id: lastId })
      return answer.promise
    },
    async close(): Promise<void> {
      await thread?.terminate()
    },
  }
}
