// Streams of which events are missing: what a rebuild finds of them before its tables serve.

import { type Kysely, sql } from 'kysely'
import { eventTypesIn } from '../../domain/index.ts'
import { categoryOf } from '../../domain/kernel/streamNames.ts'
import type { Position } from '../../kit/position.ts'
import { reads, readsHeaders } from '../core/items.ts'
import type { Projection } from '../core/projection.ts'
import type { Tables } from '../core/tables.ts'
import { withoutTimeout } from './compare.ts'
import type { BrokenStreams, LogStreams, StreamHead } from './context.ts'
import type { StreamCensus } from './streamCensus.ts'

type Db = Kysely<Tables>

/** Streams that are named at most; more of them are counted. */
export const namedMax = 20

/** A stream as the index of events knows it. */
interface KnownStream {
  stream: string
  revision: number
}

/**
 * All streams of which the log lacks events up to a position: those with a gap, and those of which
 * the serving index of events knows more than the log has.
 */
export async function findBroken(
  db: Db,
  upTo: Position,
  { streams, signal }: { streams: LogStreams; signal?: AbortSignal },
): Promise<Map<string, string>> {
  await streams.complete(upTo, signal)
  const broken = new Map(streams.census.broken())
  for await (const known of unseen(db, streams.census)) {
    const heads = await streams.streamHeads(known.map(({ stream }) => stream))
    for (const [index, { stream, revision }] of known.entries()) {
      const fault = faultOf(heads[index], revision)
      if (fault !== undefined) broken.set(stream, fault)
    }
  }
  return broken
}

function faultOf(end: StreamHead | undefined, known: number): string | undefined {
  if (end?.fault !== undefined) return end.fault
  const last = end === undefined || end.revision === 'no-stream' ? -1 : end.revision
  if (last >= known) return undefined
  const events = last + 1 === known ? `event ${known} is` : `events ${last + 1} to ${known} are`
  return `${events} missing`
}

const pageSize = 5_000

/** Streams of the serving index of events of which the log holds less than the index. */
async function* unseen(db: Db, census: StreamCensus): AsyncGenerator<KnownStream[]> {
  const upTo = census.position()
  const index = await indexUpTo(db, upTo)
  if (index.position === null) return
  // The usual case.
  if (index.position >= upTo && Number(index.events) === census.events()) return
  for (let after = ''; ; ) {
    const known = await withoutTimeout(db, trx => knownStreams(trx, { after, upTo }))
    const less = known.filter(({ stream, revision }) => (census.lastOf(stream) ?? -1) < revision)
    if (less.length > 0) yield less
    const last = known.at(-1)
    if (last === undefined || known.length < pageSize) return
    after = last.stream
  }
}

/** How many events the serving index has up to a position, and how far it is. */
async function indexUpTo(db: Db, upTo: Position) {
  return withoutTimeout(db, async trx => {
    const { rows } = await sql<{ events: bigint; position: Position | null }>`
      select count(*) as events,
        (select position from shop.checkpoints where name = 'eventIndex') as position
      from readmodel.event_index where position <= ${upTo}
    `.execute(trx)
    return rows[0] ?? { events: 0n, position: null }
  })
}

async function knownStreams(
  db: Db,
  { after, upTo }: { after: string; upTo: Position },
): Promise<KnownStream[]> {
  const { rows } = await sql<{ stream: string; revision: bigint }>`
    select stream, max(revision) as revision
    from readmodel.event_index
    where stream > ${after} and position <= ${upTo}
    group by stream order by stream limit ${pageSize}
  `.execute(db)
  return rows.map(({ stream, revision }) => ({ stream, revision: Number(revision) }))
}

/** Those that a projection reads; the first ones as the store explains them. */
export async function brokenFor(
  projection: Projection,
  broken: ReadonlyMap<string, string>,
  streams: LogStreams,
): Promise<BrokenStreams> {
  const isRead = (stream: string) =>
    readsHeaders(projection) ||
    eventTypesIn(categoryOf(stream)).some(type => reads(projection, type))
  return summaryOf(new Map([...broken].filter(([stream]) => isRead(stream))), streams)
}

/** How many streams are broken, and the first of them as the store explains it. */
export async function summaryOf(
  broken: ReadonlyMap<string, string>,
  streams: Pick<LogStreams, 'faultOf'>,
): Promise<BrokenStreams> {
  const first: { stream: string; fault: string }[] = []
  for (const [stream, fault] of [...broken].slice(0, namedMax)) {
    first.push({ stream, fault: (await streams.faultOf(stream)) ?? fault })
  }
  return { count: broken.size, first }
}

/** Names broken streams in one line. */
export function describeBroken({ count, first }: BrokenStreams): string {
  const named = first.map(({ stream, fault }) => `${stream} (${fault})`)
  const rest = count - first.length
  const all = rest === 0 ? named : [...named, `and ${rest} more`]
  return `${count === 1 ? '1 stream is' : `${count} streams are`} not whole: ${all.join('; ')}`
}
