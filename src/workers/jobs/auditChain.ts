// Extends the hash chain over the log in the background, independent of appends.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../../audit/chainFault.ts'
import { beginning, nextLink } from '../../audit/hashChain.ts'
import { checkMark, watchFrom } from '../../audit/sealCheck.ts'
import { eachWithin, withDeadline } from '../../kit/deadline.ts'
import type { Position } from '../../kit/position.ts'
import type { AuditServices, Link, Mark, StoredCheckpoint } from '../../ports/audit.ts'
import type { Clock } from '../../ports/envelope.ts'
import { type EventStore, Unavailable } from '../../ports/eventStore.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'

export interface ChainDeps {
  audit: AuditServices
  eventStore: Pick<EventStore, 'readAll'> & Partial<Pick<EventStore, 'head'>>
  app: { clock: Clock }
}

/** Events per signature: signing takes 50 µs and one row. */
const eventsMax = 1_000
/** Deadline of a read or write; after it the lock is released. */
const timeoutMs = 30_000
/** The interval of signing. */
const everyMs = 10_000
/** Pause after each segment, as a multiple of its duration: at most 5 % of a core. */
const restFactor = 19
/** The same while nothing is appended, such as after an import: half a core. */
const idleRestFactor = 1

/** The log is not what was signed, or not what the shop has appended: it is not signed. */
export class LogTampered extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(`${fault.problem} at position ${fault.position}: ${fault.detail}`)
    this.name = 'LogTampered'
    this.fault = fault
  }
}

export interface ChainOptions {
  log: Log
  metrics?: Pick<Metrics, 'auditAlarm'>
  /** Called when everything is signed. */
  onSigned?(): Promise<void>
  /** Called once for each alarm that is not the one before. */
  onAlarm?(fault: Fault): Promise<void>
  everyMs?: number
}

/** Starts signing new events; `stop` waits for the current segment. */
export function startAuditChain(deps: ChainDeps & ChainOptions): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let extending: Promise<unknown> = Promise.resolve()
  let isBusy = false
  const report = createReport(deps)
  const sign = () => {
    if (isBusy) return
    isBusy = true
    extending = extendChain(deps, { restFactor, signal: stopping.signal })
      .then(async () => {
        await report(undefined)
        await deps.onSigned?.()
      })
      .catch(report)
      .finally(() => {
        isBusy = false
      })
  }
  const timer = setInterval(sign, deps.everyMs ?? everyMs)
  sign()
  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await extending
    },
  }
}

/** Reports tampering in the process log, in the metric and to `onAlarm`. */
function createReport({ log, metrics, onAlarm }: ChainOptions) {
  let last = ''
  return async (error: unknown) => {
    if (error !== undefined && !(error instanceof LogTampered)) {
      log.error({ error: String(error) }, 'the log is not signed yet')
      return
    }
    metrics?.auditAlarm(error !== undefined)
    if (error === undefined) {
      last = ''
      return
    }
    const { problem, position, detail } = error.fault
    log.error(
      { event: 'audit-alarm', problem, position: String(position), detail },
      'AUDIT ALARM: the log was tampered with; nothing is signed until this is resolved',
    )
    if (last === error.message) return
    last = error.message
    await onAlarm?.(error.fault).catch(cause => {
      last = ''
      log.error({ error: String(cause) }, 'the audit alarm could not be delivered')
    })
  }
}

/**
 * Signs everything up to the head of now; false when another process is at it. What is signed
 * follows from the log alone, so that two who do it nevertheless get the same. Throws Unavailable;
 * LogTampered when the log does not continue what was signed, or has events that the shop has not
 * appended: nothing is built on a forgery.
 */
export async function extendChain(deps: ChainDeps, pace: Pace = {}): Promise<boolean> {
  return deps.audit.book.withLock(() => extend(deps, pace))
}

interface Pace {
  /** How many times as long as its work it rests; default: not at all. */
  restFactor?: number
  signal?: AbortSignal
}

async function extend(deps: ChainDeps, pace: Pace): Promise<void> {
  const { audit, eventStore } = deps
  const fault = await checkMark(audit)
  if (fault !== undefined) throw new LogTampered(fault)
  const last = await audit.book.last()
  let before = await linkOf(audit, last)
  const sealFault = await watchFrom({ ...audit, eventStore }, last)
  const rest = createRest(deps, pace)
  let link = before
  let marks: Mark[] = []
  const unsigned = eventStore.readAll({ after: before.position })
  for await (const event of eachWithin(timeoutMs, 'the log', unsigned)) {
    const forgery = sealFault(event)
    if (forgery !== undefined) {
      // What stands before it is the shop's.
      if (marks.length > 0) await signCheckpoint(deps, before, { link, marks })
      throw new LogTampered(forgery)
    }
    link = nextLink(link, event)
    marks.push({ position: link.position, hash: link.hash })
    if (marks.length < eventsMax) continue
    if (!(await signCheckpoint(deps, before, { link, marks }))) return
    before = link
    marks = []
    await rest()
    if (pace.signal?.aborted) return
  }
  if (marks.length > 0) await signCheckpoint(deps, before, { link, marks })
}

/** Pauses after a segment, longer while events are appended. */
function createRest({ eventStore }: ChainDeps, { restFactor: rest = 0, signal }: Pace) {
  let startedAt = performance.now()
  let head: Position | undefined
  return async () => {
    const tookMs = performance.now() - startedAt
    if (rest > 0) {
      const before = head
      head = await eventStore.head?.()
      const isIdle = head !== undefined && head === before
      await pause(tookMs * (isIdle ? Math.min(rest, idleRestFactor) : rest), signal)
    }
    startedAt = performance.now()
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  if (ms > 0) await sleep(ms, undefined, options).catch(() => undefined)
}

async function linkOf(
  { signer }: AuditServices,
  last: StoredCheckpoint | undefined,
): Promise<Link> {
  if (last === undefined) return beginning
  const checkpoint = await signer.open(last.signed)
  if (checkpoint?.position === last.position) return checkpoint
  const detail = 'The newest checkpoint is not signed by a key of this shop.'
  throw new LogTampered({ position: last.position, problem: 'forged-checkpoint', detail })
}

async function signCheckpoint(
  { audit, app }: ChainDeps,
  before: Link,
  { link, marks }: { link: Link; marks: readonly Mark[] },
): Promise<boolean> {
  const after = before.position
  const at = app.clock.now()
  const signed = await audit.signer.sign({ ...link, after, at })
  const adding = audit.book.add({ position: link.position, after, signed, marks })
  const isAdded = await withDeadline(timeoutMs, 'the book of checkpoints', adding)
  if (isAdded) await raiseMark(audit, { ...link, at })
  return isAdded
}

/** One store of the mark outside the database is enough; the others get it with the next one. */
async function raiseMark({ marks }: AuditServices, mark: Link & { at: Date }): Promise<void> {
  const missed = await marks?.raise(mark)
  if (missed?.includes('file') && missed.includes('redis')) {
    throw new Unavailable('the high-water mark could be written to no place but the database')
  }
}
