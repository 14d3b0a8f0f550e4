// The event store in memory, for tests and simulation: same promises as the others, nothing kept.
import { type Position, startOfLog } from '../../kit/position.ts'
import {
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  passes,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type SubscribeOptions,
  type SubscriptionBatch,
  satisfies,
  Unavailable,
  WrongRevision,
} from '../../ports/eventStore.ts'
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
  waiting: Set<() => void>
  clock: () => Date
}

const defaultBatchSize = 500
const pageSize = 200

/** An empty event store that lives as long as the process; `clock` gives `recordedAt`. */
export function memoryEventStore(options: { clock?: () => Date } = {}): EventStore {
  const { clock = () => new Date() } = options
  const log: Log = { events: [], streams: new Map(), waiting: new Set(), clock }
  const closing = new AbortController()
  return {
    async append(stream, expected, events) {
      if (closing.signal.aborted) throw new Unavailable('the event store is closed')
      return append(log, stream, expected, events)
    },
    readStream: (stream, range) => readStream(log, stream, range),
    async readPage(stream, from) {
      const rest = behind(log, stream, from).slice(from)
      return { events: rest.slice(0, pageSize).map(recorded), isLast: rest.length <= pageSize }
    },
    endsAt: async (stream, revision) => (log.streams.get(stream)?.length ?? 0) <= revision + 1,
    readAll: range => readAll(log, range),
    async eventAt(position) {
      const found = log.events.find(event => event.position === position)
      return found && recorded(found)
    },
    subscribe(wanted = {}) {
      const ends = [closing.signal, ...(wanted.signal ? [wanted.signal] : [])]
      return subscribe(log, wanted, AbortSignal.any(ends))
    },
    head: async () => headOf(log),
    distance: eventsBetween,
    endsOf: async streams =>
      streams.map(stream => ({
        stream,
        revision: log.streams.get(stream)?.at(-1)?.revision ?? 'no-stream',
      })),
    async *limits() {},
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
  for (const wake of [...log.waiting]) wake()
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

/** A stream of which the caller knows what is before a revision. */
function behind(log: Log, stream: string, from: number): StoredEvent[] {
  const written = log.streams.get(stream) ?? []
  if (written.length === 0 && from > 0) throw gone(stream)
  return written
}

async function* readStream(
  log: Log,
  stream: string,
  options: ReadStreamOptions = {},
): AsyncGenerator<RecordedEvent> {
  const { from, to, direction = 'forwards' } = options
  const written = behind(log, stream, direction === 'forwards' ? (from ?? 0) : 0)
  const newest = written.length - 1
  if (direction === 'forwards') {
    const last = Math.min(to ?? newest, newest)
    for (const event of written.slice(from ?? 0, last + 1)) yield recorded(event)
  } else {
    const first = Math.min(from ?? newest, newest)
    for (const event of written.slice(to ?? 0, first + 1).reverse()) yield recorded(event)
  }
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
    const from = eventsBetween(startOfLog, position)
    const next = log.events.slice(from, from + batchSize)
    position = advanced(position, next.length)
    const live = position >= headOf(log)
    if (next.length > 0 || (live && !saidLive)) {
      const events = next.filter(event => passes(filter, event)).map(recorded)
      saidLive = live
      yield { events, position, live }
    } else {
      await nextAppend(log, position, signal)
    }
  }
}

/** Resolves when the log is longer than `position`, or when the signal aborts. */
function nextAppend(log: Log, position: Position, signal: AbortSignal): Promise<void> {
  if (headOf(log) > position || signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const wake = () => {
      log.waiting.delete(wake)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    log.waiting.add(wake)
    signal.addEventListener('abort', wake)
  })
}
