// Password hashes: peppered, then bcrypt, on one thread of their own with a bounded queue.
import { createHmac } from 'node:crypto'
import type { Passwords } from '../commands/accountPorts.ts'
import type { Job, Reply } from './passwordWorker.ts'
import type { Secrets } from './secrets.ts'
import { createThread } from './threads.ts'

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

const module = new URL('./passwordWorker.ts', import.meta.url)

/**
 * Hashes with a pepper that is not in the database. The thread starts with the first password and
 * does not keep the process alive.
 */
export function createPasswords(
  secrets: Secrets,
  { cost = 10, queueMax = 20 }: PasswordsOptions = {},
): PasswordHasher {
  const thread = createThread<Job, Reply>(module, { of: 'passwords', waitingMax: queueMax })
  const ask = (password: string, task: Task) =>
    thread.ask({ ...task, input: peppered(secrets, password) })
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
    close: thread.close,
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
