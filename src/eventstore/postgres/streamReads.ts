// Reads of streams in PostgreSQL, which share round trips.
import type { Pool } from '../../infra/postgres/database.ts'
import { createBatchLoader } from '../../kit/batchLoader.ts'
import type { EventStore, StreamPage, StreamRange } from '../../ports/eventStore.ts'
import type { StreamHead } from '../../ports/logInspection.ts'
import type { StreamHeads } from '../core/streamHeads.ts'
import { assertWhole, gone, missing } from '../core/wholeStream.ts'
import { plainArray, textArray } from './arrays.ts'
import { ask, columns, type EventRow, order, recorded } from './logReads.ts'

interface NumberedRow extends EventRow {
  n: number
}

/** Streams in one statement, and events of each. */
const streamsMax = 100
const pageSize = 500
const readManyStreams = {
  name: 'eventstore_read_many',
  text: `select r.n::integer as n, e.* from unnest($1::text[], $2::bigint[], $3::bigint[])
      with ordinality as r(stream, low, high, n)
    cross join lateral (
      select ${columns} ${order} stream = r.stream and revision between r.low and r.high
      order by revision limit ${pageSize}
    ) e order by r.n, e.revision`,
}

const readAny = {
  name: 'eventstore_read_any',
  text: `select 1 ${order} stream = $1 limit 1`,
}

const readHeads = {
  name: 'eventstore_read_ends',
  text: `select stream, max(revision) as last, count(*) as events
    from eventstore.events where stream = any($1::text[]) group by stream`,
}

const maxRevision = 2 ** 62
const nothing: StreamPage = { events: [], isLast: true }

/**
 * Reads that are asked for while another is under way leave in one statement. Whether a stream has
 * got any further is asked of the end of the log, once for all streams.
 */
export function createStreamReads(pool: Pool, heads: StreamHeads): EventStore['read'] {
  const load = createBatchLoader<StreamRange, EventRow[]>(async ranges => {
    const note = await heads.begin()
    const pages = await readMany(pool, ranges)
    note(headsFound(ranges, pages))
    return pages
  }, streamsMax)

  async function readPage(range: StreamRange): Promise<StreamPage> {
    const { stream, after, upTo } = range
    if (upTo === undefined && (await heads.isAtHead(stream, after))) return nothing
    return wholePage(pool, range, await load(range))
  }
  return ranges => Promise.all(ranges.map(readPage))
}

/**
 * The events of a page. The event that the caller knows is read with them: without it nothing says
 * that the stream is still there.
 */
async function wholePage(
  pool: Pool,
  range: StreamRange,
  rows: readonly EventRow[],
): Promise<StreamPage> {
  const { stream, after, upTo } = range
  const [first] = rows
  if (first === undefined && (after >= 0 || upTo !== undefined)) {
    const isThere = (await ask(pool, readAny, [stream])).length > 0
    if (after >= 0 && !isThere) throw gone(stream)
    if (after < 0 && isThere) throw missing(stream, 0, 0)
  } else if (first !== undefined && Number(first.revision) !== firstRead(range)) {
    throw missing(stream, firstRead(range), Number(first.revision) - 1)
  }
  const events = (after >= 0 ? rows.slice(1) : rows).map(recorded)
  assertWhole(stream, after, events)
  return { events, isLast: rows.length < pageSize }
}

/** The last event of each stream, and how many there are; see the port. */
export async function streamHeads(pool: Pool, streams: readonly string[]): Promise<StreamHead[]> {
  const found = await ask<HeadRow>(pool, readHeads, [[...streams]])
  const byName = new Map(found.map(row => [row.stream, row]))
  return streams.map(stream => {
    const row = byName.get(stream)
    if (row === undefined) return { stream, revision: 'no-stream' }
    const revision = Number(row.last)
    const missed = revision + 1 - Number(row.events)
    return missed === 0 ? { stream, revision } : { stream, revision, fault: lacking(missed) }
  })
}

interface HeadRow extends Record<string, unknown> {
  stream: string
  last: bigint
  events: bigint
}

function lacking(events: number): string {
  return `${events} of its events ${events === 1 ? 'is' : 'are'} missing`
}

/** The first page of each range. */
async function readMany(pool: Pool, ranges: readonly StreamRange[]): Promise<EventRow[][]> {
  const found = await ask<NumberedRow>(pool, readManyStreams, [
    textArray(ranges.map(({ stream }) => stream)),
    plainArray(ranges.map(firstRead)),
    plainArray(ranges.map(({ upTo = maxRevision }) => BigInt(upTo))),
  ])
  const pages = ranges.map((): EventRow[] => [])
  for (const row of found) pages[row.n - 1]?.push(row)
  return pages
}

/** The event that is known, or the first of the stream. */
function firstRead({ after }: StreamRange): number {
  return Math.max(after, 0)
}

/** The last revisions of the streams that were read to their end. */
function* headsFound(
  ranges: readonly StreamRange[],
  pages: readonly EventRow[][],
): Generator<{ stream: string; revision: number }> {
  for (const [index, { stream, after, upTo }] of ranges.entries()) {
    const page = pages[index] ?? []
    if (upTo !== undefined || page.length >= pageSize) continue
    // Without the event that is known, nothing is known.
    if (page.length === 0 && after >= 0) continue
    yield { stream, revision: Number(page.at(-1)?.revision ?? -1) }
  }
}
