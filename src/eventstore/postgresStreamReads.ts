// Reads of streams in PostgreSQL, which share round trips.
import type { Pool } from '../infra/database.ts'
import { askTogether, gather } from '../kit/gather.ts'
import type { EventStore, ReadStreamOptions, RecordedEvent } from './port.ts'
import { plainArray, textArray } from './postgresArrays.ts'
import { ask, columns, type EventRow, order, pageSize, recorded } from './postgresReads.ts'
import type { StreamEnds } from './streamEnds.ts'

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
const maxRevision = 2n ** 62n

type Reads = Pick<EventStore, 'readStream' | 'readPage' | 'endsAt'>

/**
 * Reads of streams that share round trips: those asked for while others are under way. Whether a
 * stream that is known has got any further is asked of the end of the log, once for all of them.
 */
export function createStreamReads(pool: Pool, ends: StreamEnds): Reads {
  const firstPage = gather<Wanted, EventRow[]>(async wanted => {
    const tell = await ends.begin()
    const pages = await readMany(pool, wanted)
    tell(endsOf(wanted, pages))
    return pages
  }, streamsMax)
  const refresh = askTogether(ends.refresh)
  return {
    readStream: (stream, options) => readStream(pool, firstPage, { stream, ...options }),
    async readPage(stream, from) {
      const page = await firstPage({ stream, low: BigInt(from), high: maxRevision })
      return { events: page.map(recorded), isLast: page.length < gatheredMax }
    },
    async endsAt(stream, revision) {
      if (!ends.seemsToEnd(stream, revision)) return false
      return (await refresh()) && ends.seemsToEnd(stream, revision)
    },
  }
}

/** The events of a stream; a missing stream is an empty one. */
async function* readStream(
  pool: Pool,
  firstPage: (wanted: Wanted) => Promise<EventRow[]>,
  { stream, direction, from, to }: ReadStreamOptions & { stream: string },
): AsyncGenerator<RecordedEvent> {
  const backwards = direction === 'backwards'
  let low = BigInt(backwards ? (to ?? 0) : (from ?? 0))
  const high = bigintOr(backwards ? from : to, maxRevision)
  if (!backwards && low <= high) {
    // Most streams are short: one page.
    const page = await firstPage({ stream, low, high })
    for (const row of page) yield recorded(row)
    if (page.length < gatheredMax) return
    low += BigInt(page.length)
  }
  yield* readPages(pool, stream, { low, high, backwards })
}

interface Wanted {
  stream: string
  low: bigint
  high: bigint
}

/** The first page of each of the reads. */
async function readMany(pool: Pool, wanted: readonly Wanted[]): Promise<EventRow[][]> {
  const found = await ask<NumberedRow>(pool, readManyStreams, [
    textArray(wanted.map(({ stream }) => stream)),
    plainArray(wanted.map(({ low }) => low)),
    plainArray(wanted.map(({ high }) => high)),
  ])
  const pages = wanted.map((): EventRow[] => [])
  for (const row of found) pages[row.n - 1]?.push(row)
  return pages
}

/** Where streams end that have been read up to their end, as far as that was asked for. */
function* endsOf(
  wanted: readonly Wanted[],
  pages: readonly EventRow[][],
): Generator<[string, number]> {
  for (const [index, { stream, low, high }] of wanted.entries()) {
    const page = pages[index] ?? []
    if (high < maxRevision || page.length >= gatheredMax) continue
    yield [stream, Number(page.at(-1)?.revision ?? low - 1n)]
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
