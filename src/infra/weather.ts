// Tells what passes by itself (a lost connection, a time-out) from what is a defect.
import { Unavailable } from '../eventstore/port.ts'
import { sqlState } from './database.ts'

/** Gives the answer of the database; throws Unavailable when there was none, or none in time. */
export async function answerOf<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!isWeather(error)) throw error
    throw new Unavailable('the database cannot be reached', { cause: error })
  }
}

/**
 * Whether an error passes by itself: connections (08), transactions (40), resources (53), waits for
 * locks (55P03), operators (57), systems (58). An error without a state has not come from the
 * server: there is no connection to it.
 */
export function isWeather(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined) return !(error instanceof TypeError)
  return /^(08|40|53|55P03|57|58)/.test(state)
}
