// Whether the event log is the one that the database of this shop knows: by its first event, by the
// newest event that was seen, and by how far the read models are. Looked at when a process starts,
// and all the time while it runs.

import { setTimeout as sleep } from 'node:timers/promises'
import { streamPrefixes } from '../../domain/index.ts'
import { firstOf } from '../../kit/firstOf.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import { type EventStore, type RecordedEvent, readStream } from '../../ports/eventStore.ts'
import type { LogInspection } from '../../ports/logInspection.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

/** The log of a store is the one of this shop, or why it is not. */
export interface LogIdentity {
  /** The fault that the last check found; undefined where the log is the right one. */
  fault(): string | undefined
  /** Checks now; concurrent calls share one check. Throws where a server does not answer. */
  check(): Promise<string | undefined>
  /** Writes down the newest event, if the log is the right one. */
  remember(): Promise<void>
}

type Log = Pick<EventStore, 'head' | 'readAll' | 'read'> &
  Pick<LogInspection, 'storeHead' | 'eventAt'>

interface KnownRow {
  [column: string]: unknown
  first_event_id: string | null
  position: Position | null
  event_id: string | null
  stream: string | null
  revision: bigint | null
  adoptions: number | null
  /** Whether a start has taken the log, be it empty, for that of this shop. */
  accepted: boolean | null
  /** How far the read model is that has come furthest. */
  reached: Position | null
}

const findKnown: Statement = {
  name: 'log_identity_find',
  text: `select i.first_event_id::text, s.position, s.event_id::text, s.stream, s.revision,
      s.adoptions, i.stream_prefix is not null as accepted,
      (select max(position) from shop.checkpoints) as reached
    from (select 1) one
    left join shop.identity i on true
    left join shop.seen_log s on true`,
}

const rememberSeen: Statement = {
  name: 'log_identity_remember',
  text: `insert into shop.seen_log as s (position, event_id, stream, revision)
    values ($1, $2, $3, $4)
    on conflict (id) do update
    set position = excluded.position, event_id = excluded.event_id, stream = excluded.stream,
      revision = excluded.revision, seen_at = now()
    where s.adoptions = $5 and coalesce(s.position, 0) < excluded.position`,
}

const setFirst: Statement = {
  name: 'log_identity_first',
  text: 'update shop.identity set first_event_id = $1 where first_event_id is null',
}

/** The newest event is written down this often. */
const saveEveryMs = 5_000
/** A fault counts when it persists for this long. */
const confirmMs = 200

const foreignLog =
  'EVENTSTORE_URL names a log in which a shop has begun, and the database knows no log yet: ' +
  'set the DATABASE_URL of that shop, or give a new shop an EVENTSTORE_STREAM_PREFIX of its ' +
  'own; where the database was lost: npm run restore into an empty log, or ' +
  'npm run projections -- adopt'
const adoptedMeanwhile = 'another event log was adopted since this process started: restart it'

/** Reads what the database knows of the log; `setting` is the one that names its server. */
export function createLogIdentity(
  pool: Pool,
  log: Log,
  setting: 'DATABASE_URL' | 'EVENTSTORE_URL',
): LogIdentity & {
  /** The first check of a process, which compares the first event as well. */
  start(): Promise<string | undefined>
  /** When the last check began that found the right log. */
  checkedAt(): number
} {
  const state: State = {
    fault: undefined,
    adoptions: undefined,
    knowsFirst: false,
    savedAt: 0,
    checkedAt: 0,
  }
  const deps = { pool, log, setting, state }
  let checking: Promise<string | undefined> | undefined
  const identity: LogIdentity = {
    fault: () => state.fault,
    async check() {
      checking ??= checkTwice(deps).finally(() => {
        checking = undefined
      })
      const fault = await checking
      const isDue = performance.now() - state.savedAt > saveEveryMs
      if (fault === undefined && isDue) await identity.remember()
      return fault
    },
    async remember() {
      state.savedAt = performance.now()
      const { adoptions, fault } = state
      if (adoptions === undefined || fault !== undefined) return
      await writeNewest(pool, log, adoptions)
      if (!state.knowsFirst) state.knowsFirst = await writeFirst(pool, log)
    },
  }
  return {
    ...identity,
    checkedAt: () => state.checkedAt,
    async start() {
      const known = await readKnown(pool)
      state.adoptions = known.adoptions ?? 0
      const fault = await firstFault(log, known)
      state.knowsFirst = fault === undefined && known.first_event_id !== null
      if (setting === 'EVENTSTORE_URL' && (await isOfAnother(pool, log))) return foreignLog
      return faultText(fault, setting) ?? identity.check()
    },
  }
}

interface State {
  fault: string | undefined
  /** How often another log had been adopted when this process started. */
  adoptions: number | undefined
  knowsFirst: boolean
  savedAt: number
  checkedAt: number
}

interface IdentityDeps {
  pool: Pool
  log: Log
  setting: string
  state: State
}

/** A new fault is checked twice: the cluster may be changing its leader. */
async function checkTwice(deps: IdentityDeps): Promise<string | undefined> {
  const { state } = deps
  let last = await checkOnce(deps)
  if (last.fault !== undefined && state.fault === undefined) {
    await sleep(confirmMs)
    last = await checkOnce(deps)
  }
  state.fault = last.fault
  if (last.fault === undefined) state.checkedAt = last.began
  return last.fault
}

async function checkOnce({ pool, log, setting, state }: IdentityDeps) {
  const began = performance.now()
  const known = await readKnown(pool)
  const adoptions = known.adoptions ?? 0
  state.adoptions ??= adoptions
  if (adoptions !== state.adoptions) return { began, fault: adoptedMeanwhile }
  return { began, fault: faultText(await faultOf(log, known), setting) }
}

async function readKnown(pool: Pool): Promise<KnownRow> {
  const [known] = await rows<KnownRow>(pool, findKnown)
  if (known === undefined) throw new Error('the database does not say what it knows of the log')
  return known
}

/** A log begins with the same event for ever. */
async function firstFault(log: Log, known: KnownRow): Promise<string | undefined> {
  if (known.first_event_id === null) return undefined
  const first = await firstEvent(log)
  if (first?.id.toLowerCase() === known.first_event_id) return undefined
  return first === undefined ? 'it is empty' : 'it begins with another event'
}

/** A database that knows no log, and a log with events that were appended without it. */
async function isOfAnother(pool: Pool, log: Log): Promise<boolean> {
  if (!knowsNoLog(await readKnown(pool))) return false
  const first = await firstEvent(log)
  // Read again: a process that started at the same moment may have appended it.
  return first !== undefined && knowsNoLog(await readKnown(pool))
}

function knowsNoLog({ accepted, first_event_id, position, reached }: KnownRow): boolean {
  const hasSeen = first_event_id !== null || position !== null
  return accepted !== true && !hasSeen && (reached ?? startOfLog) === startOfLog
}

/** False while there is none. */
async function writeFirst(pool: Pool, log: Log): Promise<boolean> {
  const first = await firstEvent(log)
  if (first !== undefined) await rows(pool, setFirst, [first.id])
  return first !== undefined
}

/** What is wrong with a log that has the right first event; its head is read last. */
async function faultOf(log: Log, known: KnownRow): Promise<string | undefined> {
  const { position } = known
  const reached = known.reached ?? startOfLog
  const head = await log.head()
  // A read model may be further than the last event of this shop where a store has other events.
  const end = reached <= head ? head : await log.storeHead()
  if (head === startOfLog && (position !== null || known.first_event_id !== null))
    return 'it is empty'
  if (reached > end) return older(end, reached)
  if (position !== null && position > head) return older(head, position)
  if (position === null || known.event_id === null || known.stream === null) return undefined
  const at = { position, id: known.event_id, stream: known.stream }
  if (await isThere(log, { ...at, revision: Number(known.revision) })) return undefined
  return `at position ${position} is not the event that was seen there`
}

function older(end: Position, seen: Position): string {
  return `it ends at position ${end}, before ${seen} that was seen: an older copy or another log`
}

interface Seen {
  position: Position
  id: string
  stream: string
  revision: number
}

/** By its stream, which costs least; a stream may have been truncated, and still be in the log. */
async function isThere(log: Log, { position, id, stream, revision }: Seen): Promise<boolean> {
  const isIt = (event: RecordedEvent | undefined) =>
    event?.position === position && event.id.toLowerCase() === id
  const range = { from: revision, to: revision }
  const found = await firstOf(readStream(log, stream, range)).catch(() => undefined)
  return isIt(found) || isIt(await log.eventAt(position))
}

async function writeNewest(pool: Pool, log: Log, adoptions: number): Promise<void> {
  const head = await log.head()
  if (head === startOfLog) return
  const newest = await log.eventAt(head)
  if (newest === undefined) return
  const { position, id, stream, revision } = newest
  await rows(pool, rememberSeen, [position, id, stream, revision, adoptions])
}

function firstEvent(log: Log): Promise<RecordedEvent | undefined> {
  return firstOf(log.readAll({ filter: { streamPrefixes } }))
}

function faultText(fault: string | undefined, setting: string): string | undefined {
  if (fault === undefined) return undefined
  const subject =
    setting === 'EVENTSTORE_URL'
      ? 'EVENTSTORE_URL names a log that is not the one of this shop'
      : 'the event log in DATABASE_URL is not the one of this shop'
  return (
    `${subject} (${fault}): set the ${setting} of before, bring the log of before back, ` +
    'or accept this one: npm run projections -- adopt'
  )
}
