// A bound on what is under way: beyond it the answer is "later", not a queue that grows.
import type { FastifyInstance } from 'fastify'
import { createFairPlaces } from '../kit/fairPlaces.ts'
import { type Asking, claimantOf, forCustomers, mostOf } from './claimants.ts'
import { HttpProblem } from './problems.ts'

/**
 * Runs work for whoever asks, as long as there is room for them. Throws a 503 problem with
 * Retry-After where there is none.
 */
export type Gate = <T>(asking: Asking, work: () => Promise<T>) => Promise<T>

declare module 'fastify' {
  interface FastifyInstance {
    gate: Gate
  }
}

const retryAfterSeconds = 1

/**
 * Gives a server a gate for so many commands at once. Nobody can fill it: one caller gets a share
 * of what is free, and a tenth is kept for the staff.
 */
export function useGate(app: FastifyInstance, max: number): void {
  const customers = forCustomers(max)
  const places = createFairPlaces(mostOf({ strangers: customers, customers, all: max }))
  app.decorate('gate', async (asking, work) => {
    const leave = places.take(claimantOf(asking))
    if (leave === undefined) {
      const detail = 'Too much is under way: try again in a moment.'
      throw new HttpProblem('request/unavailable', detail, { retryAfterSeconds })
    }
    try {
      return await work()
    } finally {
      leave()
    }
  })
}
