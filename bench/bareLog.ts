// The log without a store around it: one statement for the heads of streams, and one for appends.
import { randomUUID } from 'node:crypto'
import { jsonArray, plainArray, textArray } from '../src/eventstore/postgres/arrays.ts'
import type { Pool } from '../src/infra/postgres/database.ts'
import { createBatchLoader } from '../src/kit/batchLoader.ts'
import type { EventTemplate } from './leastWork.ts'

export interface Appended {
  revision: number
  position: bigint
}

export interface BareLog {
  /** Asks where streams end, in one round trip. */
  askHeads(streams: readonly string[]): Promise<unknown>
  /** Appends events in one transaction; where the last of them is. */
  append(events: readonly EventTemplate[]): Promise<Appended>
}

/** Revisions of streams, as far as they are known. */
type Heads = Map<string, number>

/** More requests do not share a statement. */
const requestsMax = 500

const readHeads = {
  name: 'bench_heads',
  text: `select s.stream, coalesce(e.revision, -1)::integer as revision
    from unnest($1::text[]) as s(stream)
    left join lateral (
      select revision from eventstore.events
      where stream = s.stream order by revision desc limit 1
    ) e on true`,
}
/** As the event store of the shop appends. */
const appendPlain = {
  name: 'bench_append',
  text: 'select eventstore.append_plain($1, $2, $3, $4, $5, $6, $7) as head',
}

/**
 * A log whose round trips are shared by the requests that arrive while the one before is under way.
 * Nobody else writes to the streams that it writes to, so that there are no conflicts.
 */
export function createBareLog(pool: Pool): BareLog {
  const heads: Heads = new Map()
  const askHeads = createBatchLoader(
    (asked: readonly (readonly string[])[]) => askAll(pool, heads, asked),
    requestsMax,
  )
  const append = createBatchLoader(
    (asked: readonly (readonly EventTemplate[])[]) => appendAll(pool, heads, asked),
    requestsMax,
  )
  return { askHeads, append }
}

async function askAll(
  pool: Pool,
  heads: Heads,
  asked: readonly (readonly string[])[],
): Promise<unknown[]> {
  const streams = [...new Set(asked.flat())]
  const { rows } = await pool.query<{ stream: string; revision: number }>({
    ...readHeads,
    values: [textArray(streams)],
  })
  for (const { stream, revision } of rows) {
    if (revision > (heads.get(stream) ?? -1)) heads.set(stream, revision)
  }
  return asked.map(() => undefined)
}

async function appendAll(
  pool: Pool,
  heads: Heads,
  asked: readonly (readonly EventTemplate[])[],
): Promise<Appended[]> {
  const counts = new Map<string, number>()
  const rows = asked.flat().map(event => {
    const nth = counts.get(event.stream) ?? 0
    counts.set(event.stream, nth + 1)
    return { ...event, nth, expected: heads.get(event.stream) ?? -1 }
  })
  const result = await pool.query<{ head: bigint | null }>({
    ...appendPlain,
    values: [
      textArray(rows.map(({ stream }) => stream)),
      plainArray(rows.map(({ expected }) => expected)),
      plainArray(rows.map(({ nth }) => nth)),
      plainArray(rows.map(() => randomUUID())),
      textArray(rows.map(({ type }) => type)),
      jsonArray(rows.map(({ data }) => data)),
      jsonArray(rows.map(({ metadata }) => metadata)),
    ],
  })
  let position = result.rows[0]?.head
  if (position === undefined || position === null) throw new Error('a stream is elsewhere')
  for (const { stream, expected, nth } of rows) heads.set(stream, expected + 1 + nth)
  const answers: Appended[] = []
  for (const events of asked) {
    position += BigInt(events.length)
    answers.push({ revision: heads.get(events.at(-1)?.stream ?? '') ?? 0, position })
  }
  return answers
}
