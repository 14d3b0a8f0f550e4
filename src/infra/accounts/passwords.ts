// Password hashes: peppered, then bcrypt, on one thread of their own, where callers take turns.
import { createHmac } from 'node:crypto'
import { createFairQueue, type QueueKey } from '../../kit/fairQueue.ts'
import type { Passwords, SharedPasswords } from '../../ports/accounts.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { createThread } from '../system/threads.ts'
import type { Job, Reply } from './passwordWorker.ts'

export interface PasswordsOptions {
  /** Two to the power of this many rounds: 10 takes some 90 ms. */
  cost?: number
  /** Under way and waiting together, of one caller. */
  queueMax?: number
}

/** Calls without a caller are queued as those of the process. */
export interface PasswordHasher extends Passwords, SharedPasswords {
  /** Ends the thread; pending calls throw Unavailable. */
  close(): Promise<void>
}

/** On the thread: the current hash and the next, so that the thread is never idle. */
const atOnce = 2
/** Queued per kind, from all addresses: the last one waits for some five seconds. */
const queueAllMax = 60

type Task = { task: 'hash'; cost: number } | { task: 'verify'; hash: string }

const module = new URL('./passwordWorker.ts', import.meta.url)

/**
 * Hashes with a pepper that is not in the database. The thread starts with the first password and
 * does not keep the process alive.
 */
export function createPasswords(
  secrets: Secrets,
  { cost = 10, queueMax = 20 }: PasswordsOptions = {},
): PasswordHasher {
  const thread = createThread<Job, Reply>(module, { of: 'passwords', queueMax: atOnce })
  const queue = createFairQueue({
    atOnce,
    each: queueMax,
    all: Math.max(queueAllMax, queueMax),
    crowded: () => new Unavailable('too many passwords are waiting'),
  })
  // Well-formed, and no password is known to lead to it.
  const unmatchableHash = `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`
  function inTurn(turn: QueueKey): Passwords {
    const ask = (password: string, task: Task) =>
      queue.take(turn, () => thread.run({ ...task, input: peppered(secrets, password) }))
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
        await ask(password, { task: 'verify', hash: unmatchableHash })
        return false
      },
    }
  }

  return {
    ...inTurn({ kind: 'process', by: '' }),
    inTurn,
    async close() {
      queue.clear(new Unavailable('the thread of passwords has ended'))
      await thread.close()
    },
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
