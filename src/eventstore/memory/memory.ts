// The event store in memory, for tests and simulation: same promises as the others, not durable.
import { type Position, startOfLog } from '../../kit/position.ts'
import { createSignal, type Signal } from '../../kit/signal.ts'
import {
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  passes,
  type ReadAllOptions,
  type RecordedEvent,
  type StreamPage,
  type StreamRange,
  type SubscribeOptions,
  type SubscriptionBatch,
  satisfies,
  Unavailable,
  WrongRevision,
} from '../../ports/eventStore.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import { advanced, eventsBetween, toPosition } from '../core/positionNumbers.ts'
import { gone } from '../core/wholeStream.ts'

/** An event whose payload is kept as text, so that no caller can reach into the log. */
interface StoredEvent {
  id: string
  type: string
  payload: string
  stream: string
  revision: number
  position: Position
  recordedAt: Date
}

interface Log {
  events: StoredEvent[]
  streams: Map<string, StoredEvent[]>
  appended: Signal
  clock: () => Date
}

const defaultBatchSize = 500
const pageSize = 200
/** A subscription without appends looks again so often. */
const idleMs = 60_000

/** An empty event store that lives as long as the process; `clock` gives `recordedAt`. */
export function memoryEventStore(options: { clock?: () => Date } = {}): EventLog {
  const { clock = () => new Date() } = options
  const log: Log = { events: [], streams: new Map(), appended: createSignal(), clock }
  const closing = new AbortController()
  return {
    async append(stream, expected, events) {
      if (closing.signal.aborted) throw new Unavailable('the event store is closed')
      return append(log, stream, expected, events)
    },
    read: async streams => streams.map(range => readPage(log, range)),
    readAll: range => readAll(log, range),
    async eventAt(position) {
      const found = log.events.find(event => event.position === position)
      return found && recorded(found)
    },
    subscribe(options = {}) {
      const ends = [closing.signal, ...(options.signal ? [options.signal] : [])]
      return subscribe(log, options, AbortSignal.any(ends))
    },
    head: async () => headOf(log),
    distance: eventsBetween,
    storeHead: async () => headOf(log),
    streamHeads: async streams =>
      streams.map(stream => ({
        stream,
        revision: log.streams.get(stream)?.at(-1)?.revision ?? 'no-stream',
      })),
    async *streamLimits() {},
    async close() {
      closing.abort()
    },
  }
}

function append(
  log: Log,
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): AppendResult {
  if (events.length === 0) throw new Error('an append holds at least one event')
  const written = log.streams.get(stream) ?? []
  const actual = written.at(-1)?.revision ?? 'no-stream'
  const copies = alreadyWritten(written, expected, events)
  const [firstCopy, lastCopy] = [copies.at(0), copies.at(-1)]
  const isWhole = copies.length === events.length
  if (firstCopy !== undefined && isWhole && follows(firstCopy.revision, expected)) {
    return resultOf(lastCopy, true)
  }
  if (copies.length > 0 || !satisfies(expected, actual)) {
    throw new WrongRevision(stream, expected, actual)
  }
  for (const event of events) store(log, stream, event)
  log.appended.notify()
  return resultOf(log.events.at(-1), false)
}

/** Whether a copy stands where this append would have written it. */
function follows(revision: number, expected: ExpectedRevision): boolean {
  if (expected === 'any' || expected === 'exists') return true
  return revision === (expected === 'no-stream' ? 0 : expected + 1)
}

/** A stream whose last revision is still the expected one cannot hold a copy: nothing to search. */
function alreadyWritten(
  written: StoredEvent[],
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): StoredEvent[] {
  if (expected === written.length - 1) return []
  const ids = new Set(events.map(event => event.id))
  return written.filter(event => ids.has(event.id))
}

function store(log: Log, stream: string, event: NewEvent): void {
  const written = log.streams.get(stream) ?? []
  const stored = {
    id: event.id,
    type: event.type,
    payload: JSON.stringify({ data: event.data, metadata: event.metadata }),
    stream,
    revision: written.length,
    position: advanced(headOf(log), 1),
    recordedAt: log.clock(),
  }
  written.push(stored)
  log.streams.set(stream, written)
  log.events.push(stored)
}

function resultOf(event: StoredEvent | undefined, repeated: boolean): AppendResult {
  if (event === undefined) throw new Error('an append holds at least one event')
  return { revision: event.revision, position: event.position, repeated }
}

function headOf(log: Log): Position {
  return toPosition(BigInt(log.events.length))
}

function recorded({ payload, ...event }: StoredEvent): RecordedEvent {
  const { data, metadata } = JSON.parse(payload)
  return { ...event, data, metadata, recordedAt: new Date(event.recordedAt) }
}

function readPage(log: Log, { stream, after, upTo = Infinity }: StreamRange): StreamPage {
  const written = log.streams.get(stream) ?? []
  if (written.length === 0 && after >= 0) throw gone(stream)
  const found = written.slice(after + 1, upTo + 1)
  return { events: found.slice(0, pageSize).map(recorded), isLast: found.length <= pageSize }
}

async function* readAll(log: Log, options: ReadAllOptions = {}): AsyncGenerator<RecordedEvent> {
  const { after = startOfLog, filter } = options
  const end = log.events.length
  for (const event of log.events.slice(eventsBetween(startOfLog, after), end)) {
    if (passes(filter, event)) yield recorded(event)
  }
}

async function* subscribe(
  log: Log,
  options: SubscribeOptions,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionBatch> {
  const { filter, batchSize = defaultBatchSize } = options
  let position = options.after ?? startOfLog
  let saidLive = false
  while (!signal.aborted) {
    const notifications = log.appended.count()
    const from = eventsBetween(startOfLog, position)
    const next = log.events.slice(from, from + batchSize)
    position = advanced(position, next.length)
    const live = position >= headOf(log)
    if (next.length > 0 || (live && !saidLive)) {
      const events = next.filter(event => passes(filter, event)).map(recorded)
      saidLive = live
      yield { events, position, live }
    } else {
      await log.appended.wait(notifications, idleMs, signal)
    }
  }
}
