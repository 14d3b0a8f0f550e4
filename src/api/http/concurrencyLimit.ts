// Concurrency limits: above them requests get 503 instead of a growing queue.
import type { FastifyInstance } from 'fastify'
import { createFairSemaphore } from '../../kit/fairSemaphore.ts'
import { type Caller, claimantOf, forCustomers, limitsOf } from './limitKeys.ts'
import { HttpProblem } from './problems.ts'

/**
 * Runs work within the limit of the caller. Throws a 503 problem with
 * Retry-After above the limit.
 */
export type ConcurrencyLimit = <T>(asking: Caller, work: () => Promise<T>) => Promise<T>

declare module 'fastify' {
  interface FastifyInstance {
    limit: ConcurrencyLimit
    /** The same for reads of the database. */
    readLimit: ConcurrencyLimit
  }
}

const retryAfterSeconds = 1

/** Above that requests would only wait for the database pool. */
const readsMax = 1_000

/**
 * Limits concurrent commands and reads. No caller can use up a limit alone: each
 * gets a share of what is free, and a tenth is reserved for staff. A response that is sent
 * within counts until it has been read.
 */
export function useConcurrencyLimit(server: FastifyInstance, max: number): void {
  server.decorate('limit', limitFor(max))
  server.decorate('readLimit', limitFor(readsMax))
}

function limitFor(all: number): ConcurrencyLimit {
  const customers = forCustomers(all)
  const semaphore = createFairSemaphore(limitsOf({ strangers: customers, customers, all }))
  return async (asking, work) => {
    const leave = semaphore.take(claimantOf(asking))
    if (leave === undefined) {
      const detail = 'Too many requests are being processed. Try again.'
      throw new HttpProblem('request/unavailable', detail, { retryAfterSeconds })
    }
    try {
      return await work()
    } finally {
      leave()
    }
  }
}
