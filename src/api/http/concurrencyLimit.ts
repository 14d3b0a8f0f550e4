// A bound on what is under way: beyond it the answer is "later", not a queue that grows.
import type { FastifyInstance } from 'fastify'
import { createFairSemaphore } from '../../kit/fairSemaphore.ts'
import { type Asking, claimantOf, forCustomers, mostOf } from './limitKeys.ts'
import { HttpProblem } from './problems.ts'

/**
 * Runs work for whoever asks, as long as there is room for them. Throws a 503 problem with
 * Retry-After where there is none.
 */
export type ConcurrencyLimit = <T>(asking: Asking, work: () => Promise<T>) => Promise<T>

declare module 'fastify' {
  interface FastifyInstance {
    limit: ConcurrencyLimit
    /** The same for reads of the database. */
    readLimit: ConcurrencyLimit
  }
}

const retryAfterSeconds = 1

/** Beyond that the pool of the database would keep all of them waiting. */
const readsMax = 1_000

/**
 * Limits how many commands run at once, and how many reads. Nobody can take the limits alone: one
 * caller gets a share of what is free, and a tenth is kept for the staff. An answer that is sent
 * within keeps its place until it has been read.
 */
export function useConcurrencyLimit(server: FastifyInstance, max: number): void {
  server.decorate('limit', limitFor(max))
  server.decorate('readLimit', limitFor(readsMax))
}

function limitFor(all: number): ConcurrencyLimit {
  const customers = forCustomers(all)
  const semaphore = createFairSemaphore(mostOf({ strangers: customers, customers, all }))
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
