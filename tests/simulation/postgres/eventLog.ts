// The schema `eventstore` of the simulated PostgreSQL: the log, and the statements that read it and
// append to it, as migrations 0016 and 0023 have them.
import { elementsOf, found, postgresError, type Row, type Statement } from './statements.ts'

export interface LogRow {
  position: number
  stream: string
  revision: number
  id: string
  type: string
  data: string
  metadata: string
  recordedAt: string
}

export interface EventLog {
  rows: readonly LogRow[]
  stream(name: string): readonly LogRow[]
  streams(): string[]
  /** Behind the newest event of a stream, whatever is expected. */
  add(stream: string, event: Pick<LogRow, 'id' | 'type' | 'data' | 'metadata'>): void
  statements: readonly Statement[]
}

interface Request {
  n: number
  stream: string
  expected: number
  size: number
}
type Incoming = Pick<LogRow, 'id' | 'type' | 'data' | 'metadata'>

const none: readonly LogRow[] = []
const any = -2
const exists = -4

export interface EventLogOptions {
  now(): Date
  /** Events that are there are a repeat wherever they stand. */
  isLenient: boolean
}

export function createEventLog({ now, isLenient }: EventLogOptions): EventLog {
  const log = new Log(now, isLenient)
  return {
    rows: log.rows,
    stream: name => log.stream(name),
    streams: () => [...log.streams.keys()],
    add: (stream, event) => log.add(stream, event),
    statements: [...appendStatements(log), ...streamStatements(log), ...positionStatements(log)],
  }
}

class Log {
  readonly rows: LogRow[] = []
  readonly streams = new Map<string, LogRow[]>()
  readonly #ids = new Set<string>()
  readonly #now: () => Date
  readonly #isLenient: boolean

  constructor(now: () => Date, isLenient: boolean) {
    this.#now = now
    this.#isLenient = isLenient
  }

  stream(name: string): readonly LogRow[] {
    return this.streams.get(name) ?? none
  }

  add(stream: string, { id, type, data, metadata }: Incoming): void {
    const events = this.streams.get(stream) ?? []
    this.streams.set(stream, events)
    const recordedAt = this.#now().toISOString()
    const place = { position: this.rows.length + 1, stream, revision: events.length, recordedAt }
    const row = { ...place, id, type, data, metadata }
    events.push(row)
    this.rows.push(row)
    this.#ids.add(id)
  }

  #refuseTwins(events: readonly Incoming[]): void {
    if (!events.some(({ id }) => this.#ids.has(id))) return
    throw postgresError('23505', 'duplicate key value violates unique constraint "events_id"')
  }

  /** Null where a stream is not where it is expected: nothing is written then. */
  appendPlain(values: readonly unknown[]): number | null {
    const [names = [], expected = [], , id = [], type = [], data = [], metadata = []] =
      values.map(elementsOf)
    const events = names.map((name, n) => ({
      name,
      expected: Number(expected[n]),
      id: id[n] ?? '',
      type: type[n] ?? '',
      data: data[n] ?? '',
      metadata: metadata[n] ?? '',
    }))
    const isElsewhere = events.some(each => this.stream(each.name).length - 1 !== each.expected)
    if (isElsewhere) return null
    this.#refuseTwins(events)
    const head = this.rows.length
    for (const { name, ...event } of events) this.add(name, event)
    return head
  }

  /** What became of each append, as `eventstore.append` decides it. */
  appendSorted([requestsText, eventsText]: readonly unknown[]): Row[] {
    const requests: Request[] = JSON.parse(String(requestsText))
    const events: (Incoming & { n: number })[] = JSON.parse(String(eventsText))
    return requests.map(request => {
      const own = events.filter(({ n }) => n === request.n)
      const { outcome, revision, position } = this.#decide(request, own)
      if (outcome === 'ok') {
        this.#refuseTwins(own)
        for (const event of own) this.add(request.stream, event)
      }
      return {
        request: request.n,
        outcome,
        revision: BigInt(revision),
        position: BigInt(position ?? this.rows.length),
      }
    })
  }

  #decide({ stream, expected, size }: Request, own: readonly Incoming[]): Decided {
    const written = this.stream(stream)
    const actual = written.length - 1
    const isAnywhere = expected === any || expected === exists
    const ids = new Set(own.map(({ id }) => id))
    const isSearched = isAnywhere || expected !== actual
    const copies = isSearched ? written.filter(({ id }) => ids.has(id)) : none
    const last = copies.at(-1)
    if (last !== undefined) {
      const isHere = isAnywhere || this.#isLenient || last.revision === expected + size
      const { revision, position } = last
      if (copies.length === size && isHere) return { outcome: 'duplicate', revision, position }
      return { outcome: 'wrong-revision', revision: actual }
    }
    const fits = expected === actual || expected === any || (expected === exists && actual >= 0)
    return fits
      ? { outcome: 'ok', revision: actual + size }
      : { outcome: 'wrong-revision', revision: actual }
  }
}

interface Decided {
  outcome: 'ok' | 'duplicate' | 'wrong-revision'
  revision: number
  /** Of a copy; of others the end of the log. */
  position?: number
}

const page = (events: readonly LogRow[]) => found(events.map(rowOf))

function appendStatements(log: Log): Statement[] {
  return [
    {
      matches: 'eventstore_append_plain',
      run(values) {
        const head = log.appendPlain(values)
        return found([{ head: head === null ? null : BigInt(head) }])
      },
    },
    { matches: 'eventstore_append', run: values => found(log.appendSorted(values)) },
  ]
}

function streamStatements(log: Log): Statement[] {
  const range = ([name, low, high]: readonly unknown[]) =>
    log.stream(String(name)).slice(Number(low), Number(high) + 1)
  return [
    {
      matches: 'eventstore_read_many',
      run([names, lows]) {
        const from = elementsOf(lows)
        const pages = elementsOf(names).map((name, n) =>
          log
            .stream(name)
            .slice(Number(from[n]), Number(from[n]) + 200)
            .map(row => ({ ...rowOf(row), n: n + 1 })),
        )
        return found(pages.flat())
      },
    },
    {
      matches: 'eventstore_read_any',
      run: ([name]) => found(log.stream(String(name)).slice(0, 1).map(rowOf)),
    },
    {
      matches: 'eventstore_read_forwards',
      run: values => page(range(values).slice(0, Number(values[3]))),
    },
    {
      matches: 'eventstore_read_backwards',
      run: values => page([...range(values)].reverse().slice(0, Number(values[3]))),
    },
  ]
}

function positionStatements({ rows }: Log): Statement[] {
  const between = (values: readonly unknown[]) =>
    rows.slice(Number(values[0]), Math.min(Number(values[1]), rows.length))
  return [
    {
      matches: /select position from eventstore\.events where position > \$1/,
      run: ([after]) =>
        found(
          rows
            .slice(Number(after), Number(after) + 1)
            .map(row => ({ position: BigInt(row.position) })),
        ),
    },
    { matches: 'eventstore_head', run: () => found([{ head: BigInt(rows.length) }]) },
    {
      matches: 'eventstore_read_tail',
      run: ([after]) =>
        found(
          rows.slice(Number(after), Number(after) + 501).map(row => ({
            stream: row.stream,
            revision: BigInt(row.revision),
            position: BigInt(row.position),
          })),
        ),
    },
    {
      matches: 'eventstore_read_next',
      run: ([after, limit]) => page(rows.slice(Number(after), Number(after) + Number(limit))),
    },
    { matches: 'eventstore_read_range', run: values => page(between(values)) },
    {
      matches: 'eventstore_read_range_except_types',
      run(values) {
        const unwanted = new Set(elementsOf(values[2]))
        return page(between(values).filter(({ type }) => !unwanted.has(type)))
      },
    },
  ]
}

function rowOf({ position, revision, id, data, metadata, recordedAt, ...row }: LogRow): Row {
  return {
    ...row,
    position: BigInt(position),
    revision: BigInt(revision),
    event_id: id,
    data: JSON.parse(data),
    metadata: JSON.parse(metadata),
    recorded_at: recordedAt,
  }
}
