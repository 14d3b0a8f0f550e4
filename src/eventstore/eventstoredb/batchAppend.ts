// Many appends over one call to EventStoreDB, which is opened again whenever it breaks.
import {
  AccessDeniedError,
  convertToCommandError,
  type EventStoreDBClient,
} from '@eventstore/db-client'
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { ForeignLog, Unavailable } from '../../ports/eventStore.ts'
import {
  type Answer,
  answerOf,
  type BatchedAppend,
  correlationIds,
  correlationOf,
  requestOf,
  SendAlone,
} from './batchMessages.ts'
import { openCall, reconnect, type Stub } from './calls.ts'

/**
 * Looks whether the server of a new connection has the log of before; throws ForeignLog where it
 * has another one.
 */
export type Confirm = () => Promise<void>

export interface BatchAppends {
  /**
   * Sends an append with those of others and settles with its own answer, in `ms` at most. Throws
   * SendAlone where it has to be sent by itself, and Unavailable where the outcome is unknown.
   */
  append(append: BatchedAppend, ms: number): Promise<Answer>
  /** Fails what waits for an answer, and whatever comes after. */
  close(): void
}

interface PendingAppend {
  append: BatchedAppend
  queuedAt: number
  dueAt: number
  resolve(answer: Answer): void
  reject(error: unknown): void
}

type Call = ReturnType<Stub['batchAppend']>

/** How often is looked for appends that have waited too long. */
const checkMs = 50
/** How long a server without the call is not asked for it again: it may be upgraded. */
const lackingMs = 60_000

/**
 * The appends of one client over one call. What the client does by itself is not used: it keeps the
 * answers that it waits for in one map for the whole process, an error on any call of any client
 * rejects them all, and an answer that comes after that, or a write that waits for the socket when
 * it breaks, is thrown where nobody can catch it and ends the process (6.2.1, batchAppend.js).
 */
export function batchAppends(client: EventStoreDBClient, confirm: Confirm): BatchAppends {
  let batch: BatchCall | undefined
  let closed: Unavailable | undefined
  let lackingUntil = 0
  const openBatchCall = () => {
    const fresh = newBatchCall(client, error => {
      if (batch === fresh) batch = undefined
      if (error instanceof SendAlone) lackingUntil = performance.now() + lackingMs
    })
    connect(fresh, confirm)
    return fresh
  }
  return {
    append(append, ms) {
      if (closed !== undefined) return Promise.reject(closed)
      if (performance.now() < lackingUntil) return Promise.reject(new SendAlone())
      batch ??= openBatchCall()
      return enqueue(batch, append, ms)
    },
    close() {
      closed = new Unavailable('the event store is closed')
      if (batch !== undefined) fail(batch, closed)
    },
  }
}

/** One call and what waits for its answers; over for good at its first error. */
interface BatchCall {
  client: EventStoreDBClient
  pending: Map<string, PendingAppend>
  /** What has not been written to the call yet. */
  unsent: string[]
  nextId: () => string
  /** Undefined until the call is open. */
  open: { call: Call; stub: Stub } | undefined
  isOver: boolean
  isWritable: boolean
  /** When the last answer came. */
  answeredAt: number
  timer: NodeJS.Timeout | undefined
  ended(error: unknown): void
}

function newBatchCall(client: EventStoreDBClient, ended: BatchCall['ended']): BatchCall {
  return {
    client,
    pending: new Map(),
    unsent: [],
    nextId: correlationIds(),
    open: undefined,
    isOver: false,
    isWritable: true,
    answeredAt: performance.now(),
    timer: undefined,
    ended,
  }
}

function connect(batch: BatchCall, confirm: Confirm): void {
  const { client } = batch
  const use = (opened: { call: Call; stub: Stub }) => {
    const { call } = opened
    // Stays for good: an error that comes after the end must not end the process.
    call.on('error', error => fail(batch, brokenBy(error)))
    if (batch.isOver) return call.cancel()
    batch.open = opened
    call.on('data', response => receive(batch, response))
    call.on('drain', () => {
      batch.isWritable = true
      send(batch)
    })
    call.on('end', () => fail(batch, new Unavailable('EventStoreDB has ended the call')))
    send(batch)
  }
  confirm()
    .then(() => openBatch(client))
    .then(use, error => fail(batch, brokenBy(error)))
}

function enqueue(batch: BatchCall, append: BatchedAppend, ms: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const id = batch.nextId()
    const queuedAt = performance.now()
    batch.pending.set(id, { append, queuedAt, dueAt: queuedAt + ms, resolve, reject })
    batch.unsent.push(id)
    batch.timer ??= setInterval(() => checkDeadlines(batch), checkMs)
    send(batch)
  })
}

/** Writes what waits, as long as the call has room for it. */
function send(batch: BatchCall): void {
  while (batch.open !== undefined && batch.isWritable) {
    const id = batch.unsent.shift()
    if (id === undefined) return
    const next = batch.pending.get(id)
    // Nobody waits for it any more, so it need not be written.
    if (next === undefined) continue
    batch.isWritable = batch.open.call.write(requestOf(id, next.append))
  }
}

function receive(batch: BatchCall, response: streamsPb.BatchAppendResp): void {
  batch.answeredAt = performance.now()
  const id = correlationOf(response)
  const asked = batch.pending.get(id)
  // Too late, or of somebody else: there is nobody to tell.
  if (asked === undefined) return
  batch.pending.delete(id)
  try {
    asked.resolve(answerOf(response))
  } catch (error) {
    asked.reject(error)
  }
}

/** Gives up what has waited too long, and the call where nothing else was heard either. */
function checkDeadlines(batch: BatchCall): void {
  const { client, pending, open } = batch
  if (pending.size === 0) {
    clearInterval(batch.timer)
    batch.timer = undefined
    return
  }
  const now = performance.now()
  let isSilent = false
  for (const [id, { queuedAt, dueAt, reject }] of pending) {
    if (dueAt > now) continue
    pending.delete(id)
    isSilent ||= batch.answeredAt < queuedAt
    reject(new Unavailable('EventStoreDB did not answer in time'))
  }
  if (!isSilent) return
  fail(batch, new Unavailable('EventStoreDB does not answer any more'))
  reconnect(client, open?.stub).catch(() => undefined)
}

function fail(batch: BatchCall, error: unknown): void {
  if (batch.isOver) return
  batch.isOver = true
  clearInterval(batch.timer)
  batch.open?.call.cancel()
  batch.ended(error)
  for (const { reject } of batch.pending.values()) reject(error)
  batch.pending.clear()
}

async function openBatch(client: EventStoreDBClient): Promise<{ call: Call; stub: Stub }> {
  let used: Stub | undefined
  const call = await openCall(client, (stub, ...args) => {
    used = stub
    return stub.batchAppend(...args)
  })
  if (used === undefined) throw new Error('a call was opened without a client')
  return { call, stub: used }
}

/** gRPC: the server has no such method. */
const unimplemented = 12

/**
 * What the end of a call means for the appends that wait on it. Whatever it was, it need not have
 * been about them, so that they may be sent again; only what concerns every call is told as it is.
 */
function brokenBy(error: unknown): Error {
  if (!(error instanceof Error)) return new Unavailable('EventStoreDB has ended the call')
  if (error instanceof ForeignLog) return error
  if (Reflect.get(error, 'code') === unimplemented) return new SendAlone()
  const known = convertToCommandError(error)
  if (known instanceof AccessDeniedError) return known
  return new Unavailable('the call to EventStoreDB has broken', { cause: known })
}
