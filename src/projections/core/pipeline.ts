// Sends statements as one transaction in one round trip instead of one round trip each.
import { CompiledQuery, type Kysely, type QueryResult, type RawBuilder } from 'kysely'
import type { SendOptions } from '../../ports/statements.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>
type Sent<Row> = CompiledQuery<Row> & SendOptions

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

async function send(db: Db, pipeline: readonly CompiledQuery[]): Promise<number[]> {
  const query: CompiledQuery & SendOptions = { ...begin, pipeline }
  const { rows } = await db.executeQuery<{ written: number }>(query)
  return rows.map(({ written }) => written)
}

/** A prepared statement, planned once a session: planning takes longer than running most. */
export function prepared<Row>(query: CompiledQuery<Row>): Sent<Row> {
  return { ...query, isPrepared: true }
}

/** Runs a statement that is planned once a session. */
export function executePrepared<Row>(
  db: Kysely<Tables>,
  statement: RawBuilder<Row>,
): Promise<QueryResult<Row>> {
  return db.executeQuery(prepared(statement.compile(db)))
}
