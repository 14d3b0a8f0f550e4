// Extends the hash chain over the log behind everybody's back: appends know nothing of it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditServices, Mark } from '../commands/auditPorts.ts'
import { beginning, type Link, nextLink } from '../commands/hashChain.ts'
import type { Clock } from '../commands/ports.ts'
import type { EventStore } from '../eventstore/port.ts'
import { eachWithin, within } from '../kit/within.ts'
import type { Log } from './log.ts'

export interface ChainKeeping {
  audit: AuditServices
  eventStore: Pick<EventStore, 'readAll'>
  shop: { clock: Clock }
}

/** Events under one signature: 50 µs of signing and one row for so many. */
const eventsMax = 1_000
/** Who waits longer for the log or the book hangs, and gives up the right to sign. */
const patienceMs = 30_000
/** How long an event waits for its signature. */
const everyMs = 10_000
/** It rests so many times as long as it works: a twentieth of a core it may take of appends. */
const restFactor = 19

/** Starts signing what is new; `stop` waits for the part under way. */
export function startAuditChain(parts: ChainKeeping & { log: Log }): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let extending: Promise<unknown> = Promise.resolve()
  let isBusy = false
  const look = () => {
    if (isBusy) return
    isBusy = true
    extending = extendChain(parts, { restFactor, signal: stopping.signal })
      .catch(error => parts.log.error({ error: String(error) }, 'the log is not signed yet'))
      .finally(() => {
        isBusy = false
      })
  }
  const timer = setInterval(look, everyMs)
  look()
  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await extending
    },
  }
}

/**
 * Signs everything up to the head of now, unless another process is at it. What is signed follows
 * from the log alone, so that two who do it nevertheless get the same. Throws Unavailable, and
 * Error when the last checkpoint is not one of the shop's: nothing is built on a forgery.
 */
export async function extendChain(parts: ChainKeeping, pace: Pace = {}): Promise<void> {
  await parts.audit.book.alone(() => extend(parts, pace))
}

interface Pace {
  /** How many times as long as its work it rests; default: not at all. */
  restFactor?: number
  signal?: AbortSignal
}

async function extend(parts: ChainKeeping, { restFactor: rest = 0, signal }: Pace): Promise<void> {
  let before = await lastLink(parts.audit)
  let link = before
  let marks: Mark[] = []
  let startedAt = performance.now()
  const behind = parts.eventStore.readAll({ after: before.position })
  for await (const event of eachWithin(patienceMs, 'the log', behind)) {
    link = nextLink(link, event)
    marks.push({ position: link.position, hash: link.hash })
    if (marks.length < eventsMax) continue
    if (!(await seal(parts, before, { link, marks }))) return
    before = link
    marks = []
    await pause((performance.now() - startedAt) * rest, signal)
    if (signal?.aborted) return
    startedAt = performance.now()
  }
  if (marks.length > 0) await seal(parts, before, { link, marks })
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  if (ms > 0) await sleep(ms, undefined, options).catch(() => undefined)
}

async function lastLink({ book, signer }: AuditServices): Promise<Link> {
  const last = await book.last()
  if (last === undefined) return beginning
  const checkpoint = await signer.open(last.signed)
  if (checkpoint?.position === last.position) return checkpoint
  throw new Error(`the checkpoint at ${last.position} is not signed by a key of this shop`)
}

async function seal(
  { audit, shop }: ChainKeeping,
  before: Link,
  { link, marks }: { link: Link; marks: readonly Mark[] },
): Promise<boolean> {
  const after = before.position
  const signed = await audit.signer.sign({ ...link, after, at: shop.clock.now() })
  const adding = audit.book.add({ position: link.position, after, signed, marks })
  return within(patienceMs, 'the book of checkpoints', adding)
}
