// The log of the EventStoreDB stub: what the real server decides on an append, in memory.
import { randomUUID } from 'node:crypto'
import { deletedBefore, hiddenBefore, type Limits, limitsIn } from './eventStoreDbLimits.ts'
import { type Foreign, foreignEvents, systemEvent } from './eventStoreDbNeighbour.ts'

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
  | { kind: 'deleted' }

/** What a read of a stream finds. */
export type Shown = { kind: 'none' } | { kind: 'deleted' } | { kind: 'events'; events: LogRecord[] }

export interface ServerLog {
  /** What a read of everything gives, in order. */
  records: LogRecord[]
  /** What a stream holds, hidden or not. */
  stream(name: string): LogRecord[]
  /** What a read of a stream gives. */
  shown(name: string): Shown
  append(stream: string, expected: Expected, events: Proposed[]): Outcome
  /** Hides all of a stream until somebody writes to it again. */
  softDelete(stream: string): void
  /** Deletes a stream for good. */
  tombstone(stream: string): void
  /** Removes what is hidden, as a scavenge does: from streams and from the log of everything. */
  scavenge(): void
  /** Takes events away, as no server does. */
  lose(stream: string, revisions: readonly number[]): void
  /** Forgets the recent event ids, as a restart or a new leader does. */
  forgetIds(): void
  /** Whether a read may begin there: at a record, also one that a scavenge has removed. */
  isRecord(position: bigint): boolean
  /** Resolves at the next append. */
  grown(): Promise<void>
}

/** Between how many appends the server writes an event of its own, and others write theirs. */
const appendsPerSystemEvent = 7
const appendsPerForeignEvent = 3
/** Where the first record that is not the server's business is. */
const firstPosition = 1_431n

/**
 * A log with the events that a server writes when it starts and, unless `isAlone`, of another
 * application, which goes on writing while the log is used.
 */
export function serverLog({ isAlone = false }: { isAlone?: boolean } = {}): ServerLog {
  const log = new StubLog(isAlone)
  for (const name of ['$users', '$epoch-information']) log.keep(name, systemEvent())
  log.setLimits('$users', JSON.stringify({ $acl: { $r: '$admins' } }))
  log.keep('$streams', systemEvent('$>'))
  if (!isAlone) log.takeForeign(foreignEvents('before'))
  return log
}

class StubLog implements ServerLog {
  readonly records: LogRecord[] = []
  readonly #streams = new Map<string, LogRecord[]>()
  readonly #everWritten = new Set<bigint>()
  readonly #recent = new Map<string, LogRecord>()
  readonly #isAlone: boolean
  #growth = Promise.withResolvers<void>()
  #appends = 0

  constructor(isAlone: boolean) {
    this.#isAlone = isAlone
  }

  stream(name: string): LogRecord[] {
    return this.#streams.get(name) ?? []
  }

  keep(name: string, event: Proposed, revision?: number): void {
    const written = this.stream(name)
    const last = this.records.at(-1)
    const record: LogRecord = {
      ...event,
      stream: name,
      revision: revision ?? (written.at(-1)?.revision ?? -1) + 1,
      position: last === undefined ? firstPosition : last.position + sizeOf(last),
      created: BigInt(Date.now()) * 10_000n,
    }
    this.#everWritten.add(record.position)
    written.push(record)
    this.#streams.set(name, written)
    this.records.push(record)
    this.#recent.set(record.id, record)
  }

  setLimits(name: string, wanted: string): void {
    this.keep(`$$${name}`, metadata(wanted))
  }

  takeForeign(made: readonly Foreign[]): void {
    for (const { stream, event, limits } of made) {
      if (limits !== undefined) this.setLimits(stream, JSON.stringify(limits))
      this.keep(stream, event)
    }
  }

  shown(name: string): Shown {
    const written = this.stream(name)
    const last = written.at(-1)
    if (last?.type === tombstoneType) return { kind: 'deleted' }
    const limits = this.#limits(name)
    const first = hiddenBefore(limits, last?.revision ?? 0)
    if (last === undefined || first === Number.POSITIVE_INFINITY) return { kind: 'none' }
    const { $maxAge = Number.POSITIVE_INFINITY } = limits
    const oldest = Date.now() - $maxAge * 1_000
    const isKept = ({ revision, created }: LogRecord) =>
      revision >= first && Number(created / 10_000n) > oldest
    return { kind: 'events', events: written.filter(isKept) }
  }

  append(name: string, expected: Expected, events: Proposed[]): Outcome {
    const last = this.stream(name).at(-1)
    const isRevived = last !== undefined && this.#limits(name).$tb === deletedBefore
    if (isRevived && expected === 'exists') return { kind: 'deleted' }
    const from = isRevived && expected === 'no-stream' ? BigInt(last.revision) : expected
    const decision = decide(this.stream(name), this.#recent, from, events)
    if (decision !== 'write') return decision
    if (isRevived) this.#revive(name, last.revision)
    const about = name.startsWith('$$') ? name.slice(2) : ''
    const wasDeleted = this.#limits(about).$tb === deletedBefore
    for (const event of events) this.keep(name, event)
    // Metadata for a deleted stream begin it anew: the server hides what was deleted itself.
    if (wasDeleted) this.#revive(about, this.stream(about).at(-1)?.revision ?? -1)
    const outcome = asWritten(this.stream(name).at(-1))
    this.#appends += 1
    if (this.#appends % appendsPerSystemEvent === 0) {
      this.keep('$stats-127.0.0.1:2113', systemEvent())
    }
    if (!this.#isAlone && this.#appends % appendsPerForeignEvent === 0) {
      this.takeForeign(foreignEvents('between'))
    }
    this.#grow()
    return outcome
  }

  #revive(name: string, last: number): void {
    const kept = this.#limits(name)
    this.setLimits(name, JSON.stringify({ ...kept, $tb: last + 1 }))
  }

  softDelete(name: string): void {
    this.setLimits(name, '{"$tb":9223372036854775807}')
    this.#grow()
  }

  tombstone(name: string): void {
    this.keep(name, systemEvent(tombstoneType), Number.MAX_SAFE_INTEGER)
    this.#grow()
  }

  scavenge(): void {
    const isKept = (record: LogRecord): boolean => {
      const { stream: name, type } = record
      const isLast = this.stream(name).at(-1) === record
      if (type === tombstoneType) return true
      if (name.startsWith('$$')) return isLast
      const found = this.shown(name)
      // The last event of a stream that has no tombstone stays: its revision must be known.
      if (found.kind === 'events') return isLast || found.events.includes(record)
      return found.kind === 'none' && isLast
    }
    this.#remain(this.records.filter(isKept))
  }

  lose(name: string, revisions: readonly number[]): void {
    const isLost = ({ stream, revision }: LogRecord) =>
      stream === name && revisions.includes(revision)
    this.#remain(this.records.filter(each => !isLost(each)))
  }

  forgetIds(): void {
    this.#recent.clear()
  }

  isRecord(position: bigint): boolean {
    const last = this.records.at(-1)
    return this.#everWritten.has(position) || last === undefined || position > last.position
  }

  grown(): Promise<void> {
    return this.#growth.promise
  }

  #limits(name: string): Limits {
    return limitsIn(this.stream(`$$${name}`).at(-1)?.data)
  }

  #grow(): void {
    this.#growth.resolve()
    this.#growth = Promise.withResolvers<void>()
  }

  #remain(kept: LogRecord[]): void {
    const all = Map.groupBy(kept, each => each.stream)
    for (const name of this.#streams.keys()) this.#streams.set(name, all.get(name) ?? [])
    this.records.splice(0, this.records.length, ...kept)
  }
}

const tombstoneType = '$streamDeleted'

/** What a record takes in the server's files, as positions show. */
function sizeOf({ data, metadata: meta, stream, type }: LogRecord): bigint {
  return BigInt(data.length + meta.length + stream.length + type.length + 119)
}

function metadata(wanted: string): Proposed {
  const data = Buffer.from(wanted)
  return {
    id: randomUUID(),
    type: '$metadata',
    contentType: 'application/json',
    data,
    metadata: new Uint8Array(),
  }
}

/** What IndexWriter.CheckCommit of the server does. */
function decide(
  written: LogRecord[],
  recent: Map<string, LogRecord>,
  expected: Expected,
  events: Proposed[],
): Outcome | 'write' {
  const last = written.at(-1)
  if (last?.type === tombstoneType) return { kind: 'deleted' }
  const current = last?.revision ?? -1
  const at = (revision: number) => {
    const likely = written[revision - (written[0]?.revision ?? 0)]
    return likely?.revision === revision ? likely : written.find(each => each.revision === revision)
  }
  const wrong: Outcome = { kind: 'wrong-version', current }
  if (expected === 'exists' && current < 0) return wrong
  const known = (event: Proposed) => {
    const record = recent.get(event.id)
    return record !== undefined && at(record.revision) === record
  }
  if (expected === 'any' || expected === 'exists') {
    const [first] = events
    if (first === undefined || !known(first)) return 'write'
    return events.every(event => known(event)) ? again(recent, events) : wrong
  }
  const version = expected === 'no-stream' ? -1 : Number(expected)
  if (version > current) return wrong
  if (version === current) return 'write'
  const same = events.every((event, n) => at(version + 1 + n)?.id === event.id)
  return same ? asWritten(at(version + events.length)) : wrong
}

function again(recent: Map<string, LogRecord>, events: Proposed[]): Outcome {
  return asWritten(recent.get(events.at(-1)?.id ?? ''))
}

function asWritten(record: LogRecord | undefined): Outcome {
  if (record === undefined) throw new Error('an append without events reached the stub')
  return { kind: 'written', revision: record.revision, position: record.position }
}
