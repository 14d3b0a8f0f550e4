// One EventStoreDB client with its known traps closed, and which of its errors pass by themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AccessDeniedError,
  type EventStoreDBClient,
  isCommandError,
  NotLeaderError,
} from '@eventstore/db-client'
import type { Position } from '../../kit/position.ts'
import { isTransient, isTransientAnswer } from '../../kit/transient.ts'
import { ForeignLog, Unavailable } from '../../ports/eventStore.ts'
import type { BatchAppends, Confirm } from './batchAppend.ts'
import { connect } from './connect.ts'
import type { OwnStreams } from './ownStreams.ts'

/** A client and how patient its callers are. */
export interface Connection {
  client: EventStoreDBClient
  batch: BatchAppends
  confirm: Confirm
  own: OwnStreams
  /** Where the newest event of this log was when that was last asked for. */
  headMemory: HeadMemory
  timeoutMs: number
  /** Of a job that would rather wait than fail; without it `timeoutMs` is all that it waits. */
  retryPolicy: RetryPolicy | undefined
  /** How long a subscription may be silent before it compares itself with the head. */
  idleMs: number
  /** Aborts when the store is closed. */
  closing: AbortSignal
}

/** The newest event of this log, and the newest record of the server that was looked at for it. */
export interface KnownHead {
  head: Position
  upTo: Position
}

/** What is known of the head, and the search for it that is under way: one for all who wait. */
export interface HeadMemory {
  known: KnownHead | undefined
  search: Promise<void> | undefined
  /** Aborts when the store is closed; the search outlives a subscription that has begun it. */
  closing: AbortSignal
  /** Told once of a search that takes long: others have written much on the same server. */
  tell(seconds: number): void
}

/** How long a server that does not answer is waited for, and who is told that it is. */
export interface RetryPolicy {
  ms: number
  /** Told each time as long as an append may take has passed again. */
  tell(seconds: number): void
}

const firstPauseMs = 25
const longestPauseMs = 2_000

/** Creates the client for `url` (`esdb://…`); it connects on first use. Throws AddressFault. */
export function createClient(url: string): EventStoreDBClient {
  const client = connect(url)
  appendOneByOne(client)
  askLeader(client)
  guardReconnect(client)
  guardDiscovery(client)
  return client
}

/** The client's own batch append is off; `batchAppends` says why, and takes its place. */
function appendOneByOne(client: EventStoreDBClient): void {
  Reflect.set(client, 'supports', async () => false)
}

/**
 * Every call asks for the leader: a node that follows, or has led until now, answers reads with
 * what it knows, and may not know what has just been written. It says who leads, and the client
 * goes there.
 */
function askLeader(client: EventStoreDBClient): void {
  const callArguments: unknown = Reflect.get(client, 'callArguments')
  if (typeof callArguments !== 'function') return
  Reflect.set(client, 'callArguments', (options: object, ...rest: unknown[]) =>
    Reflect.apply(callArguments, client, [{ requiresLeader: true, ...options }, ...rest]),
  )
}

/** The client does not await its reconnect: a failed discovery would end the process. */
function guardReconnect(client: EventStoreDBClient): void {
  const handleError: unknown = Reflect.get(client, 'handleError')
  if (typeof handleError !== 'function') return
  Reflect.set(client, 'handleError', async (...failure: unknown[]) => {
    await Promise.resolve(Reflect.apply(handleError, client, failure)).catch(() => undefined)
  })
}

/** That no node can be found passes by itself; the client's error for it has no code. */
function guardDiscovery(client: EventStoreDBClient): void {
  const resolveUri: unknown = Reflect.get(client, 'resolveUri')
  if (typeof resolveUri !== 'function') return
  Reflect.set(client, 'resolveUri', async () => {
    try {
      return await Reflect.apply(resolveUri, client, [])
    } catch (error) {
      throw new Unavailable('no node of EventStoreDB can be found', { cause: error })
    }
  })
}

/**
 * Whether an error is about the connection or the server's state and may pass by itself. The client
 * has no code for a cluster that it cannot discover: `guardDiscovery` gives it one.
 */
export function isTransientHere(error: unknown): boolean {
  if (error instanceof ForeignLog || error instanceof RefusedUser) return false
  if (isTransient(error) || error instanceof NotLeaderError) return true
  return isTransientAnswer(statusOf(error))
}

/**
 * The server does not let the user in, or not do what was asked for: somebody has to change its
 * rights or EVENTSTORE_URL. Nothing was written, and the same may work then.
 */
export class RefusedUser extends Unavailable {
  constructor(error: unknown) {
    const reason = Object.assign(new Error('refused', { cause: error }), { code: 'USER_REFUSED' })
    super('EventStoreDB refuses the user', { cause: reason })
  }
}

/** gRPC: permission denied, unauthenticated. */
const refusals: ReadonlySet<unknown> = new Set([7, 16])

/** An error that is not tried again, as callers of the port know it. */
export function asLasting(error: unknown): unknown {
  if (error instanceof Unavailable) return error
  const isRefused = error instanceof AccessDeniedError || refusals.has(statusOf(error))
  return isRefused ? new RefusedUser(error) : error
}

function statusOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined
  return isCommandError(error) ? error.code : Reflect.get(error, 'code')
}

/** Whether no record begins at the position of a read; only the text of the error says so. */
export function isNoRecord(error: unknown): boolean {
  return error instanceof Error && /invalid ?position/i.test(error.message)
}

/** How long to wait before try number `failures`: doubles, with jitter, up to two seconds. */
export function pauseMs(failures: number): number {
  const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** failures)
  return pause * (0.5 + Math.random() / 2)
}

/** Waits, but not beyond the signal, and never throws. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** The outcome of `work`, or Unavailable when it takes longer than `ms` or the signal aborts. */
export function within<T>(ms: number, signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
    const giveUp = () => {
      stop()
      const why = signal.aborted
        ? 'the event store is closed'
        : 'EventStoreDB did not answer in time'
      reject(new Unavailable(why))
    }
    const timer = setTimeout(giveUp, ms)
    signal.addEventListener('abort', giveUp)
    // The loser of the race may fail later, when nobody listens any more: that is heard here, too.
    work.finally(stop).then(resolve, reject)
    if (signal.aborted) giveUp()
  })
}

/**
 * Repeats `attempt` with back-off while its errors are transient, for `timeoutMs` in all; then
 * throws Unavailable. Any other error is thrown at once. `attempt` gets the number of tries before
 * it and how many milliseconds it may take.
 */
export function retrying<T>(
  connection: Connection,
  attempt: (failures: number, ms: number) => Promise<T>,
): Promise<T> {
  return repeating(connection, (failures, ms) =>
    within(ms, connection.closing, attempt(failures, ms)),
  )
}

/** The same for an `attempt` that keeps to its time, and ends when the store is closed. */
export async function repeating<T>(
  connection: Connection,
  attempt: (failures: number, ms: number) => Promise<T>,
): Promise<T> {
  const { timeoutMs, closing } = connection
  const wait = startRetries(connection)
  for (let failures = 0; ; failures++) {
    try {
      closed(closing)
      return await attempt(failures, Math.max(1, Math.min(wait.leftMs(), timeoutMs / 2)))
    } catch (error) {
      if (!isTransientHere(error)) throw asLasting(error)
      const pause = pauseMs(failures)
      if (closing.aborted || wait.leftMs() <= pause) throw unavailable(error)
      wait.tell()
      await rest(pause, closing)
    }
  }
}

/** How long is waited from now on, and that it is said now and then. */
export function startRetries({ timeoutMs, retryPolicy }: Connection) {
  let startedAt = performance.now()
  let toldAt = startedAt
  return {
    leftMs: () => startedAt + (retryPolicy?.ms ?? timeoutMs) - performance.now(),
    tell() {
      const now = performance.now()
      if (retryPolicy === undefined || now - toldAt < timeoutMs) return
      toldAt = now
      retryPolicy.tell(Math.round((now - startedAt) / 1_000))
    },
    /** Something has come: the next wait begins now. */
    again() {
      startedAt = performance.now()
      toldAt = startedAt
    },
  }
}

function closed(closing: AbortSignal): void {
  if (closing.aborted) throw new Unavailable('the event store is closed')
}

/** The error as callers of the port know it. */
export function unavailable(error: unknown): Unavailable {
  if (error instanceof Unavailable) return error
  return new Unavailable('EventStoreDB cannot be reached', { cause: error })
}
