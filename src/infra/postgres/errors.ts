// Errors of PostgreSQL as the ports name them: Unavailable for transient ones.
import pg from 'pg'
import { isTransient } from '../../kit/transient.ts'
import { Unavailable } from '../../ports/eventStore.ts'

/** What the database has answered is thrown as it is, unless it passes by itself. */
export function translated(error: unknown): unknown {
  if (error instanceof Unavailable || !isTransient(error)) return error
  return new Unavailable(`PostgreSQL cannot answer: ${messageOf(error)}`, { cause: error })
}

/** The connection was lost, whatever the driver calls that. */
export function unanswered(error: unknown): unknown {
  if (error instanceof Unavailable) return error
  return new Unavailable(`PostgreSQL did not answer: ${messageOf(error)}`, { cause: error })
}

/** No session could be had; only what the server itself refuses for good is an error of its own. */
export function unreachable(error: unknown): unknown {
  if (error instanceof pg.DatabaseError && !isTransient(error)) return error
  if (error instanceof TypeError) return error
  return new Unavailable(`PostgreSQL cannot be reached: ${messageOf(error)}`, { cause: error })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
