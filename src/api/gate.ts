// A bound on what is under way: beyond it the answer is "later", not a queue that grows.
import type { FastifyInstance } from 'fastify'
import { HttpProblem } from './problems.ts'

/**
 * Runs work as long as there is room. Throws a 503 problem with Retry-After where there is none.
 */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

declare module 'fastify' {
  interface FastifyInstance {
    gate: Gate
  }
}

const retryAfterSeconds = 1

/** Gives a server a gate for so many commands at once. */
export function useGate(app: FastifyInstance, max: number): void {
  let inside = 0
  app.decorate('gate', async work => {
    if (inside >= max) {
      throw new HttpProblem(
        'request/unavailable',
        'Too much is under way: try again in a moment.',
        {
          retryAfterSeconds,
        },
      )
    }
    inside += 1
    try {
      return await work()
    } finally {
      inside -= 1
    }
  })
}
