// Reads of streams in PostgreSQL, which share round trips.

import type { Pool } from '../infra/database.ts'
import { gatherReads } from './gatherReads.ts'
import type { ReadStreamOptions, RecordedEvent } from './port.ts'
import { plainArray, textArray } from './postgresArrays.ts'
import { ask, columns, type EventRow, order, pageSize, recorded } from './postgresReads.ts'
import { followStreamEnds } from './streamEnds.ts'

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
/** Of each stream in a shared read; what has more goes on by itself. */
const gatheredMax = 100
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
/**
 * Reads of streams that share round trips: those asked for while others are under way. Whether a
 * stream that is known has got any further is asked of the end of the log, once for all of them.
 */
export function createStreamReader(pool: Pool) {
  const ends = followStreamEnds(pool)
  const gathered = gatherReads<Wanted, EventRow[]>(async wanted => {
    const tell = await ends.begin()
    const read = async (some: readonly Wanted[]) => {
      if (some.length === 0) return new Map<Wanted, EventRow[]>()
      const pages = await readMany(pool, some)
      tell(endsOf(pages))
      return pages
    }
    const known = wanted.filter(({ stream, low }) => ends.seemsToEnd(stream, low))
    const unknown = wanted.filter(({ stream, low }) => !ends.seemsToEnd(stream, low))
    const [isFresh, pages] = await Promise.all([known.length > 0 && ends.refresh(), read(unknown)])
    const moved = known.filter(({ stream, low }) => !(isFresh && ends.seemsToEnd(stream, low)))
    const late = await read(moved)
    return wanted.map(each => pages.get(each) ?? late.get(each) ?? [])
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

/** The first page of each of the reads. */
async function readMany(pool: Pool, wanted: readonly Wanted[]): Promise<Map<Wanted, EventRow[]>> {
  const found = await ask<NumberedRow>(pool, readManyStreams, [
    textArray(wanted.map(({ stream }) => stream)),
    plainArray(wanted.map(({ low }) => low)),
    plainArray(wanted.map(({ high }) => high)),
  ])
  const pages = wanted.map((): EventRow[] => [])
  for (const row of found) pages[row.n - 1]?.push(row)
  return new Map(wanted.map((each, index) => [each, pages[index] ?? []]))
}

/** Where streams end that have been read up to their end, as far as that was asked for. */
function* endsOf(pages: ReadonlyMap<Wanted, EventRow[]>): Generator<[string, bigint]> {
  for (const [{ stream, low, high }, page] of pages) {
    if (high < maxRevision || page.length >= gatheredMax) continue
    yield [stream, page.at(-1)?.revision ?? low - 1n]
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
