// The keys of limits: anonymous callers count by address, others by account.
import type { FastifyRequest } from 'fastify'
import type { Claimant } from '../../kit/fairSemaphore.ts'
import { isStaff } from './actor.ts'
import { addressOf } from './addresses.ts'

/** The parts of a request that identify its caller. */
export type Caller = Pick<FastifyRequest, 'actor' | 'ip'>

/** By priority: places are reserved for higher levels. */
const levels = { strangers: 0, customers: 1, staff: 2 } as const

/** How many places each level may use, together with those below it. */
export interface LevelLimits {
  strangers: number
  customers: number
  all: number
}

/** The limits in the order of the levels. */
export const limitsOf = ({ strangers, customers, all }: LevelLimits): readonly number[] => [
  strangers,
  customers,
  all,
]

/** The key of a caller. Cart tokens are free to create, so guests count by address. */
export function claimantOf({ actor, ip }: Caller): Claimant {
  const from = addressOf(ip)
  if (actor.role === 'anonymous') return { by: from, from, level: levels.strangers }
  // Staff may share one address.
  if (isStaff(actor)) return { by: actor.id, from: actor.id, level: levels.staff }
  return { by: actor.id, from, level: levels.customers }
}

/** For waits of the process itself. */
export const forProcess: Claimant = { by: 'process', from: 'process', level: levels.staff }

/**
 * The places that customers and anonymous callers may use: a tenth is reserved for staff, or
 * `least` if that is more, but never more than half.
 */
export function forCustomers(all: number, least = 0): number {
  return all - Math.min(Math.max(Math.ceil(all / 10), least), Math.floor(all / 2))
}
