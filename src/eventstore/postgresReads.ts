// Reads from the event store in PostgreSQL, page by page, by stream or by position.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Pool, rows, type Statement } from '../infra/database.ts'
import { answerOf } from '../infra/weather.ts'
import { gatherReads } from './gatherReads.ts'
import {
  type EventFilter,
  type JsonObject,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  Unavailable,
} from './port.ts'

interface NumberedRow extends EventRow {
  n: number
}

interface EventRow extends Record<string, unknown> {
  position: bigint
  stream: string
  revision: bigint
  event_id: string
  type: string
  data: JsonObject
  metadata: JsonObject
  recorded_at: Date
}

const columns = 'position, stream, revision, event_id, type, data, metadata, recorded_at'
const order = 'from eventstore.events where'
const readHead = {
  name: 'eventstore_head',
  text: 'select coalesce(max(position), 0)::bigint as head from eventstore.events',
}
const readForwards = {
  name: 'eventstore_read_forwards',
  text: `select ${columns} ${order} stream = $1 and revision between $2 and $3
    order by revision limit $4`,
}
const readBackwards = {
  name: 'eventstore_read_backwards',
  text: `select ${columns} ${order} stream = $1 and revision between $2 and $3
    order by revision desc limit $4`,
}
/** Of each stream in a shared read; what has more goes on by itself. */
const gatheredMax = 100
const readMany = {
  name: 'eventstore_read_many',
  text: `select r.n::integer as n, e.* from unnest($1::text[], $2::bigint[], $3::bigint[])
      with ordinality as r(stream, low, high, n)
    cross join lateral (
      select ${columns} ${order} stream = r.stream and revision between r.low and r.high
      order by revision limit ${gatheredMax}
    ) e order by r.n, e.revision`,
}
const readNext = {
  name: 'eventstore_read_next',
  text: `select ${columns} ${order} position > $1 order by position limit $2`,
}
const readRange = {
  name: 'eventstore_read_range',
  text: `select ${columns} ${order} position > $1 and position <= $2 order by position`,
}
const readRangeByType = {
  name: 'eventstore_read_range_by_type',
  text: `select ${columns} ${order} position > $1 and position <= $2 and type = any($3)
    order by position`,
}
const readRangeByStream = {
  name: 'eventstore_read_range_by_stream',
  text: `select ${columns} ${order} position > $1 and position <= $2 and stream like any($3)
    order by position`,
}

/** Events in one page of a read. */
export const pageSize = 1_000
const maxRevision = 2n ** 62n
const retryDelaysMs = [20, 200]

/** Reads of streams that share round trips: those asked for while others are under way. */
export function createStreamReader(pool: Pool) {
  const gathered = gatherReads<Wanted, EventRow[]>(async wanted => {
    const found = await ask<NumberedRow>(pool, readMany, [
      wanted.map(({ stream }) => stream),
      wanted.map(({ low }) => low),
      wanted.map(({ high }) => high),
    ])
    const answers: EventRow[][] = wanted.map(() => [])
    for (const row of found) answers[row.n - 1]?.push(row)
    return answers
  })

  /** The events of a stream; a missing stream is an empty one. */
  return async function* readStream(
    stream: string,
    options: ReadStreamOptions = {},
  ): AsyncGenerator<RecordedEvent> {
    const backwards = options.direction === 'backwards'
    let low = BigInt(backwards ? (options.to ?? 0) : (options.from ?? 0))
    const high = bigintOr(backwards ? options.from : options.to, maxRevision)
    if (!backwards && low <= high) {
      // Most reads are of the tail of a stream that is known: one page, often an empty one.
      const page = await gathered({ stream, low, high })
      for (const row of page) yield recorded(row)
      if (page.length < gatheredMax) return
      low += BigInt(page.length)
    }
    yield* readPages(pool, stream, { low, high, backwards })
  }
}

interface Wanted {
  stream: string
  low: bigint
  high: bigint
}

async function* readPages(
  pool: Pool,
  stream: string,
  range: { low: bigint; high: bigint; backwards: boolean },
): AsyncGenerator<RecordedEvent> {
  let { low, high } = range
  const { backwards } = range
  const statement = backwards ? readBackwards : readForwards
  while (low <= high) {
    const page = await ask<EventRow>(pool, statement, [stream, low, high, pageSize])
    for (const row of page) yield recorded(row)
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    if (backwards) high = last.revision - 1n
    else low = last.revision + 1n
  }
}

function bigintOr(value: number | undefined, fallback: bigint): bigint {
  return value === undefined ? fallback : BigInt(value)
}

/** The newest position. */
export async function head(pool: Pool): Promise<bigint> {
  const [row] = await ask<{ head: bigint }>(pool, readHead)
  return row?.head ?? 0n
}

/** The events behind a position, up to the head at the time of the call. */
export async function* readAll(
  pool: Pool,
  options: ReadAllOptions = {},
): AsyncGenerator<RecordedEvent> {
  let after = options.after ?? 0n
  const end = await head(pool)
  while (after < end) {
    const upTo = least(end, after + BigInt(pageSize))
    yield* await readBetween(pool, after, upTo, options.filter)
    after = upTo
  }
}

/** Positions are gapless and in commit order, so a range of them is complete once it is visible. */
export async function readBetween(
  pool: Pool,
  after: bigint,
  upTo: bigint,
  filter: EventFilter | undefined,
): Promise<RecordedEvent[]> {
  const found = await rowsBetween(pool, after, upTo, filter)
  return found.map(recorded)
}

/** The next events behind a position, at most `limit`; fewer mean that there are no more yet. */
export async function readBehind(
  pool: Pool,
  after: bigint,
  limit: number,
): Promise<RecordedEvent[]> {
  const found = await ask<EventRow>(pool, readNext, [after, limit])
  return found.map(recorded)
}

function rowsBetween(pool: Pool, after: bigint, upTo: bigint, filter: EventFilter | undefined) {
  if (filter === undefined) return ask<EventRow>(pool, readRange, [after, upTo])
  if ('types' in filter) return ask<EventRow>(pool, readRangeByType, [after, upTo, filter.types])
  const patterns = filter.streamPrefixes.map(prefix => `${prefix.replace(/[%_\\]/g, '\\$&')}%`)
  return ask<EventRow>(pool, readRangeByStream, [after, upTo, patterns])
}

/** The smaller of two positions. */
export function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function recorded(row: EventRow): RecordedEvent {
  return {
    id: row.event_id,
    type: row.type,
    data: row.data,
    metadata: row.metadata,
    stream: row.stream,
    revision: Number(row.revision),
    position: row.position,
    recordedAt: row.recorded_at,
  }
}

/** Asks again when the connection is lost: reading twice does no harm. Throws Unavailable. */
async function ask<Row extends Record<string, unknown>>(
  pool: Pool,
  statement: Statement,
  values: unknown[] = [],
): Promise<Row[]> {
  for (const delayMs of retryDelaysMs) {
    try {
      return await answerOf(rows<Row>(pool, statement, values))
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      await sleep(delayMs)
    }
  }
  return answerOf(rows<Row>(pool, statement, values))
}
