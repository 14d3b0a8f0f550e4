// Statements that are sent at once, as one transaction: a batch costs one wait instead of ten.
import { CompiledQuery, type Kysely } from 'kysely'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

const begin = CompiledQuery.raw('begin')
const commit = CompiledQuery.raw('commit')

/** Runs statements in one transaction. How many rows each has written; throws what any throws. */
export async function runPipeline(db: Db, statements: readonly CompiledQuery[]): Promise<number[]> {
  return (await send(db, [begin, ...statements, commit])).slice(1, -1)
}

/** Runs statements at the end of a transaction that this session is in, and commits it. */
export async function commitPipeline(db: Db, statements: readonly CompiledQuery[]): Promise<void> {
  await send(db, [...statements, commit])
}

async function send(db: Db, statements: readonly CompiledQuery[]): Promise<number[]> {
  // The driver knows this text: it sends what is given with it, all in one packet.
  const query = CompiledQuery.raw('-- together', [...statements])
  const { rows } = await db.executeQuery<{ written: number }>({ ...query })
  return rows.map(({ written }) => written)
}
