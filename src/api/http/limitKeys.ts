// Who takes a place of what is bounded: strangers by their address, everybody else by account.
import type { FastifyRequest } from 'fastify'
import type { Claimant } from '../../kit/fairSemaphore.ts'
import { isStaff } from './actor.ts'
import { addressOf } from './addresses.ts'

/** What of a request tells who asks. */
export type Asking = Pick<FastifyRequest, 'actor' | 'ip'>

/** From those who get the fewest places to those for whom some are kept. */
const levels = { strangers: 0, customers: 1, staff: 2 } as const

/** How many places each level may have, together with those below it. */
export interface Rooms {
  strangers: number
  customers: number
  all: number
}

/** The bounds in the order of the levels. */
export const mostOf = ({ strangers, customers, all }: Rooms): readonly number[] => [
  strangers,
  customers,
  all,
]

/** Whose place it is. Tokens of carts cost nothing: guests count by their address alone. */
export function claimantOf({ actor, ip }: Asking): Claimant {
  const from = addressOf(ip)
  if (actor.role === 'anonymous') return { by: from, from, level: levels.strangers }
  // Staff who sit behind one address are not each other's neighbours.
  if (isStaff(actor)) return { by: actor.id, from: actor.id, level: levels.staff }
  return { by: actor.id, from, level: levels.customers }
}

/** For what a command waits for itself, whoever has sent it. */
export const forProcess: Claimant = { by: 'process', from: 'process', level: levels.staff }

/**
 * Of so many places, those that customers and strangers may have: a tenth is kept for staff, or
 * `least` where that is more, and never more than half.
 */
export function forCustomers(all: number, least = 0): number {
  return all - Math.min(Math.max(Math.ceil(all / 10), least), Math.floor(all / 2))
}
