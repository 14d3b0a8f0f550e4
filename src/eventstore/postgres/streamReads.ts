// Reads of streams in PostgreSQL, which share round trips.
import type { Pool } from '../../infra/postgres/database.ts'
import { createBatchLoader, createSingleFlight } from '../../kit/batchLoader.ts'
import type {
  EventStore,
  ReadStreamOptions,
  RecordedEvent,
  StreamEnd,
  StreamPage,
} from '../../ports/eventStore.ts'
import { gone, missing, watchRevisions, wholeStream } from '../core/wholeStream.ts'
import { plainArray, textArray } from './arrays.ts'
import { ask, columns, type EventRow, order, pageSize, recorded } from './logReads.ts'
import type { StreamHeads } from './streamHeads.ts'

interface NumberedRow extends EventRow {
  n: number
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

/** Streams of a shared read, and events of each; what has more goes on by itself. */
const streamsMax = 100
const gatheredMax = 200
const readManyStreams = {
  name: 'eventstore_read_many',
  text: `select r.n::integer as n, e.* from unnest($1::text[], $2::bigint[], $3::bigint[])
      with ordinality as r(stream, low, high, n)
    cross join lateral (
      select ${columns} ${order} stream = r.stream and revision between r.low and r.high
      order by revision limit ${gatheredMax}
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

const maxRevision = 2n ** 62n

type Reads = Pick<EventStore, 'readStream' | 'readPage' | 'endsAt' | 'endsOf' | 'limits'>

/**
 * Reads of streams that share round trips: those asked for while others are under way. Whether a
 * stream that is known has got any further is asked of the end of the log, once for all of them.
 */
export function createStreamReads(pool: Pool, ends: StreamHeads): Reads {
  const readTogether = createBatchLoader<StreamRequest, EventRow[]>(async wanted => {
    const tell = await ends.begin()
    const pages = await readMany(pool, wanted)
    tell(endsFound(wanted, pages))
    return pages
  }, streamsMax)
  const firstPage = async (wanted: StreamRequest) =>
    wholePage(pool, wanted, await readTogether(wanted))
  const refresh = createSingleFlight(ends.refresh)
  return {
    readStream: (stream, options = {}) =>
      wholeStream(stream, options, readStream(pool, firstPage, { stream, ...options })),
    async readPage(stream, from) {
      const { events, isLast } = await firstPage({ stream, low: BigInt(from), high: maxRevision })
      const watch = watchRevisions(stream, { from })
      for (const event of events) watch.see(event)
      return { events, isLast }
    },
    async endsAt(stream, revision) {
      if (!ends.seemsToEnd(stream, revision)) return false
      return (await refresh()) && ends.seemsToEnd(stream, revision)
    },
    endsOf: streams => endsOf(pool, streams),
    async *limits() {},
  }
}

/** The events of a stream; a missing stream is an empty one. */
async function* readStream(
  pool: Pool,
  firstPage: (wanted: StreamRequest) => Promise<StreamPage>,
  { stream, direction, from, to }: ReadStreamOptions & { stream: string },
): AsyncGenerator<RecordedEvent> {
  const backwards = direction === 'backwards'
  let low = BigInt(backwards ? (to ?? 0) : (from ?? 0))
  const high = bigintOr(backwards ? from : to, maxRevision)
  if (!backwards && low <= high) {
    // Most streams are short: one page.
    const { events, isLast } = await firstPage({ stream, low, high })
    yield* events
    if (isLast) return
    low += BigInt(events.length)
  }
  yield* readPages(pool, stream, { low, high, backwards })
}

interface StreamRequest {
  stream: string
  low: bigint
  high: bigint
}

/**
 * The events of a first page. Behind an event that the caller knows, that one was read with them:
 * it says whether the stream is still there.
 */
async function wholePage(
  pool: Pool,
  { stream, low, high }: StreamRequest,
  rows: readonly EventRow[],
): Promise<StreamPage> {
  const isLast = rows.length < gatheredMax
  const before = firstRead(low)
  const [first] = rows
  if (first === undefined && (low > 0n || high < maxRevision)) {
    const isThere = (await ask(pool, readAny, [stream])).length > 0
    if (low === 0n ? isThere : !isThere) throw low === 0n ? missing(stream, 0, 0) : gone(stream)
  } else if (first !== undefined && first.revision !== before) {
    throw missing(stream, Number(before), Number(first.revision) - 1)
  }
  return { events: (low > 0n ? rows.slice(1) : rows).map(recorded), isLast }
}

/** Where streams end; see the port. */
async function endsOf(pool: Pool, streams: readonly string[]): Promise<StreamEnd[]> {
  const found = await ask<EndRow>(pool, readHeads, [[...streams]])
  const byName = new Map(found.map(row => [row.stream, row]))
  return streams.map(stream => {
    const row = byName.get(stream)
    if (row === undefined) return { stream, revision: 'no-stream' }
    const revision = Number(row.last)
    const missed = revision + 1 - Number(row.events)
    return missed === 0 ? { stream, revision } : { stream, revision, fault: lacking(missed) }
  })
}

interface EndRow extends Record<string, unknown> {
  stream: string
  last: bigint
  events: bigint
}

function lacking(events: number): string {
  return `${events} of its events ${events === 1 ? 'is' : 'are'} missing`
}

/** The first page of each of the reads. */
async function readMany(pool: Pool, wanted: readonly StreamRequest[]): Promise<EventRow[][]> {
  const found = await ask<NumberedRow>(pool, readManyStreams, [
    textArray(wanted.map(({ stream }) => stream)),
    plainArray(wanted.map(({ low }) => firstRead(low))),
    plainArray(wanted.map(({ high }) => high)),
  ])
  const pages = wanted.map((): EventRow[] => [])
  for (const row of found) pages[row.n - 1]?.push(row)
  return pages
}

/** The revision before the first one wanted, where there is one. */
function firstRead(low: bigint): bigint {
  return low > 0n ? low - 1n : low
}

/** Where streams end that have been read up to their end, as far as that was asked for. */
function* endsFound(
  wanted: readonly StreamRequest[],
  pages: readonly EventRow[][],
): Generator<[string, number]> {
  for (const [index, { stream, low, high }] of wanted.entries()) {
    const page = pages[index] ?? []
    if (high < maxRevision || page.length >= gatheredMax) continue
    // Behind an event that is not there, nothing is known.
    if (page.length === 0 && low > 0n) continue
    yield [stream, Number(page.at(-1)?.revision ?? -1)]
  }
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
