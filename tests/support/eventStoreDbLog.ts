// The log of the EventStoreDB stub: what the real server decides on an append, in memory.
import { randomUUID } from 'node:crypto'

export type Expected = 'any' | 'exists' | 'no-stream' | bigint

export interface Proposed {
  id: string
  type: string
  contentType: string
  data: Uint8Array
  metadata: Uint8Array
}

export interface LogRecord extends Proposed {
  stream: string
  revision: number
  /** Commit and prepare position; sparse, as positions in a file are. */
  position: bigint
  /** Ticks of 100 ns since the epoch. */
  created: bigint
}

export type Outcome =
  | { kind: 'written'; revision: number; position: bigint }
  | { kind: 'wrong-version'; current: number }

export interface ServerLog {
  records: LogRecord[]
  stream(name: string): LogRecord[]
  append(stream: string, expected: Expected, events: Proposed[]): Outcome
  /** Forgets the recent event ids, as a restart or a new leader does. */
  forgetIds(): void
  /** Resolves at the next append. */
  grown(): Promise<void>
}

/** Between how many appends the server writes an event of its own. */
const appendsPerSystemEvent = 7

/** An empty log with the few events that a server writes when it starts. */
export function serverLog(): ServerLog {
  const records: LogRecord[] = []
  const streams = new Map<string, LogRecord[]>()
  const recent = new Map<string, LogRecord>()
  let growth = Promise.withResolvers<void>()
  let appends = 0
  const stream = (name: string) => streams.get(name) ?? []

  const keep = (name: string, event: Proposed) => {
    const written = stream(name)
    const last = records.at(-1)
    const record: LogRecord = {
      ...event,
      stream: name,
      revision: written.length,
      position: last === undefined ? 0n : last.position + BigInt(last.data.length + 137),
      created: BigInt(Date.now()) * 10_000n,
    }
    written.push(record)
    streams.set(name, written)
    records.push(record)
    recent.set(record.id, record)
  }

  for (const name of ['$users', '$epoch-information']) keep(name, systemEvent())
  return {
    records,
    stream,
    append(name, expected, events) {
      const decision = decide(stream(name), recent, expected, events)
      if (decision !== 'write') return decision
      for (const event of events) keep(name, event)
      const outcome = asWritten(stream(name).at(-1))
      appends += 1
      if (appends % appendsPerSystemEvent === 0) keep('$stats-127.0.0.1:2113', systemEvent())
      growth.resolve()
      growth = Promise.withResolvers<void>()
      return outcome
    },
    forgetIds: () => recent.clear(),
    grown: () => growth.promise,
  }
}

function systemEvent(): Proposed {
  const empty = new Uint8Array()
  return { id: randomUUID(), type: '$system', contentType: '', data: empty, metadata: empty }
}

/** What IndexWriter.CheckCommit of the server does, without deleted streams. */
function decide(
  written: LogRecord[],
  recent: Map<string, LogRecord>,
  expected: Expected,
  events: Proposed[],
): Outcome | 'write' {
  const current = written.length - 1
  const wrong: Outcome = { kind: 'wrong-version', current }
  if (expected === 'exists' && current < 0) return wrong
  const known = (event: Proposed, revision?: number) => {
    const record = recent.get(event.id)
    return record !== undefined && written[revision ?? record.revision] === record
  }
  if (expected === 'any' || expected === 'exists') {
    const [first] = events
    if (first === undefined || !known(first)) return 'write'
    return events.every(event => known(event)) ? again(recent, events) : wrong
  }
  const version = expected === 'no-stream' ? -1 : Number(expected)
  if (version > current) return wrong
  if (version === current) return 'write'
  const same = events.every((event, n) => written[version + 1 + n]?.id === event.id)
  return same ? asWritten(written[version + events.length]) : wrong
}

function again(recent: Map<string, LogRecord>, events: Proposed[]): Outcome {
  return asWritten(recent.get(events.at(-1)?.id ?? ''))
}

function asWritten(record: LogRecord | undefined): Outcome {
  if (record === undefined) throw new Error('an append without events reached the stub')
  return { kind: 'written', revision: record.revision, position: record.position }
}
