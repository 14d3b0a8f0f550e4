// Statements that are sent at once, as one transaction: a batch costs one wait instead of ten.
import { CompiledQuery, type Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** Runs statements in one transaction. How many rows each has written; throws what any throws. */
export async function runTogether(
  db: Kysely<Tables>,
  statements: readonly CompiledQuery[],
): Promise<number[]> {
  // The driver knows this text: it sends what is given with it, between a begin and a commit.
  const query = CompiledQuery.raw('-- together', [...statements])
  const { rows } = await db.executeQuery<{ written: number }>({ ...query })
  return rows.map(({ written }) => written)
}
