// Reads of the log in PostgreSQL by position, page by page.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Pool, rows, type Statement } from '../../infra/postgres/database.ts'
import { earliest, type Position, startOfLog } from '../../kit/position.ts'
import {
  type EventFilter,
  type JsonObject,
  type ReadAllOptions,
  type RecordedEvent,
  Unavailable,
} from '../../ports/eventStore.ts'
import { advanced } from '../core/positionNumbers.ts'

/** An event as a row. */
export interface EventRow extends Record<string, unknown> {
  position: Position
  stream: string
  revision: bigint
  event_id: string
  type: string
  data: JsonObject
  metadata: JsonObject
  recorded_at: string
}

/** The time of recording is rarely used: it stays text until it is. */
export const columns =
  'position, stream, revision, event_id, type, data, metadata, recorded_at::text as recorded_at'
export const order = 'from eventstore.events where'
const readHead = {
  name: 'eventstore_head',
  text: 'select coalesce(max(position), 0)::bigint as head from eventstore.events',
}
const readNext = {
  name: 'eventstore_read_next',
  text: `select ${columns} ${order} position > $1 order by position limit $2`,
}
const readNextPosition = {
  name: 'eventstore_read_next_position',
  text: `select position ${order} position > $1 order by position limit 1`,
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
const readRangeExceptTypes = {
  name: 'eventstore_read_range_except_types',
  text: `select ${columns} ${order} position > $1 and position <= $2 and type <> all($3)
    order by position`,
}
const readRangeByStream = {
  name: 'eventstore_read_range_by_stream',
  text: `select ${columns} ${order} position > $1 and position <= $2 and stream like any($3)
    order by position`,
}

/** Events in one page of a read. */
export const pageSize = 1_000
const retryDelaysMs = [20, 200]

/** The newest position. */
export async function head(pool: Pool): Promise<Position> {
  const [row] = await ask<{ head: Position }>(pool, readHead)
  return row?.head ?? startOfLog
}

/** The events after a position, up to the head at the time of the call. */
export async function* readAll(
  pool: Pool,
  options: ReadAllOptions = {},
): AsyncGenerator<RecordedEvent> {
  let after = options.after ?? startOfLog
  const end = await head(pool)
  while (after < end) {
    const upTo = earliest(end, advanced(after, pageSize))
    const page = await readBetween(pool, after, upTo, options.filter)
    yield* page
    after = page.length > 0 ? upTo : await endOfEmptyPage(pool, upTo)
  }
}

/**
 * How far a page goes that has no events: up to the next event of the log. Appends leave no gaps,
 * but a row that was inserted far above the others must not make a read endless.
 */
export async function endOfEmptyPage(pool: Pool, upTo: Position): Promise<Position> {
  const [next] = await ask<{ position: Position }>(pool, readNextPosition, [upTo])
  return next === undefined ? upTo : advanced(next.position, -1)
}

/** Positions are gapless and in commit order, so a range of them is complete once it is visible. */
export async function readBetween(
  pool: Pool,
  after: Position,
  upTo: Position,
  filter: EventFilter | undefined,
): Promise<RecordedEvent[]> {
  const found = await rowsBetween(pool, after, upTo, filter)
  return found.map(recorded)
}

/** The next events after a position, at most `limit`; fewer mean that there are no more yet. */
export async function readBehind(
  pool: Pool,
  after: Position,
  limit: number,
): Promise<RecordedEvent[]> {
  const found = await ask<EventRow>(pool, readNext, [after, limit])
  return found.map(recorded)
}

function rowsBetween(pool: Pool, after: Position, upTo: Position, filter: EventFilter | undefined) {
  if (filter === undefined) return ask<EventRow>(pool, readRange, [after, upTo])
  if ('types' in filter) return ask<EventRow>(pool, readRangeByType, [after, upTo, filter.types])
  if ('exceptTypes' in filter) {
    return ask<EventRow>(pool, readRangeExceptTypes, [after, upTo, filter.exceptTypes])
  }
  const patterns = filter.streamPrefixes.map(prefix => `${prefix.replace(/[%_\\]/g, '\\$&')}%`)
  return ask<EventRow>(pool, readRangeByStream, [after, upTo, patterns])
}

/** A row as an event. */
export function recorded(row: EventRow): RecordedEvent {
  return new ReadEvent(row)
}

/** A class, so that a getter that is not used costs nothing. */
class ReadEvent implements RecordedEvent {
  readonly id: string
  readonly type: string
  readonly data: JsonObject
  readonly metadata: JsonObject
  readonly stream: string
  readonly revision: number
  readonly position: Position
  readonly #recordedAt: string

  constructor(row: EventRow) {
    this.id = row.event_id
    this.type = row.type
    this.data = row.data
    this.metadata = row.metadata
    this.stream = row.stream
    this.revision = Number(row.revision)
    this.position = row.position
    this.#recordedAt = row.recorded_at
  }

  /** A time that no append writes (infinity, before Christ) is not the one that was signed. */
  get recordedAt(): Date {
    const time = new Date(this.#recordedAt)
    return Number.isNaN(time.getTime()) ? new Date(0) : time
  }
}

/** Asks again when the connection is lost: reading twice does no harm. Throws Unavailable. */
export async function ask<Row extends Record<string, unknown>>(
  pool: Pool,
  statement: Statement,
  values: unknown[] = [],
): Promise<Row[]> {
  for (const delayMs of retryDelaysMs) {
    try {
      return await rows<Row>(pool, statement, values)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      await sleep(delayMs)
    }
  }
  return rows<Row>(pool, statement, values)
}
