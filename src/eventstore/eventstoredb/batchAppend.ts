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
  askedAt: number
  dueAt: number
  resolve(answer: Answer): void
  reject(error: unknown): void
}

type Call = ReturnType<Stub['batchAppend']>

/** How often is looked for appends that have waited too long. */
const lookMs = 50
/** How long a server without the call is not asked for it again: it may be upgraded. */
const lackingMs = 60_000

/**
 * The appends of one client over one call. What the client does by itself is not used: it keeps the
 * answers that it waits for in one map for the whole process, an error on any call of any client
 * rejects them all, and an answer that comes after that, or a write that waits for the socket when
 * it breaks, is thrown where nobody can catch it and ends the process (6.2.1, batchAppend.js).
 */
export function batchAppends(client: EventStoreDBClient, confirm: Confirm): BatchAppends {
  let line: Line | undefined
  let closed: Unavailable | undefined
  let lackingUntil = 0
  const openLine = () => {
    const fresh = newLine(client, error => {
      if (line === fresh) line = undefined
      if (error instanceof SendAlone) lackingUntil = performance.now() + lackingMs
    })
    connect(fresh, confirm)
    return fresh
  }
  return {
    append(append, ms) {
      if (closed !== undefined) return Promise.reject(closed)
      if (performance.now() < lackingUntil) return Promise.reject(new SendAlone())
      line ??= openLine()
      return ask(line, append, ms)
    },
    close() {
      closed = new Unavailable('the event store is closed')
      if (line !== undefined) fail(line, closed)
    },
  }
}

/** One call and what waits for its answers; over for good at its first error. */
interface Line {
  client: EventStoreDBClient
  waiting: Map<string, PendingAppend>
  /** What has not been written to the call yet. */
  unsent: string[]
  nextId: () => string
  /** Undefined until the call is open. */
  open: { call: Call; stub: Stub } | undefined
  isOver: boolean
  hasRoom: boolean
  /** When the last answer came. */
  heardAt: number
  timer: NodeJS.Timeout | undefined
  ended(error: unknown): void
}

function newLine(client: EventStoreDBClient, ended: Line['ended']): Line {
  return {
    client,
    waiting: new Map(),
    unsent: [],
    nextId: correlationIds(),
    open: undefined,
    isOver: false,
    hasRoom: true,
    heardAt: performance.now(),
    timer: undefined,
    ended,
  }
}

function connect(line: Line, confirm: Confirm): void {
  const { client } = line
  const use = (opened: { call: Call; stub: Stub }) => {
    const { call } = opened
    // Stays for good: an error that comes after the end must not end the process.
    call.on('error', error => fail(line, brokenBy(error)))
    if (line.isOver) return call.cancel()
    line.open = opened
    call.on('data', response => receive(line, response))
    call.on('drain', () => {
      line.hasRoom = true
      send(line)
    })
    call.on('end', () => fail(line, new Unavailable('EventStoreDB has ended the call')))
    send(line)
  }
  confirm()
    .then(() => openBatch(client))
    .then(use, error => fail(line, brokenBy(error)))
}

function ask(line: Line, append: BatchedAppend, ms: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const id = line.nextId()
    const askedAt = performance.now()
    line.waiting.set(id, { append, askedAt, dueAt: askedAt + ms, resolve, reject })
    line.unsent.push(id)
    line.timer ??= setInterval(() => look(line), lookMs)
    send(line)
  })
}

/** Writes what waits, as long as the call has room for it. */
function send(line: Line): void {
  while (line.open !== undefined && line.hasRoom) {
    const id = line.unsent.shift()
    if (id === undefined) return
    const next = line.waiting.get(id)
    // Nobody waits for it any more, so it need not be written.
    if (next === undefined) continue
    line.hasRoom = line.open.call.write(requestOf(id, next.append))
  }
}

function receive(line: Line, response: streamsPb.BatchAppendResp): void {
  line.heardAt = performance.now()
  const id = correlationOf(response)
  const asked = line.waiting.get(id)
  // Too late, or of somebody else: there is nobody to tell.
  if (asked === undefined) return
  line.waiting.delete(id)
  try {
    asked.resolve(answerOf(response))
  } catch (error) {
    asked.reject(error)
  }
}

/** Gives up what has waited too long, and the call where nothing else was heard either. */
function look(line: Line): void {
  const { client, waiting, open } = line
  if (waiting.size === 0) {
    clearInterval(line.timer)
    line.timer = undefined
    return
  }
  const now = performance.now()
  let isSilent = false
  for (const [id, { askedAt, dueAt, reject }] of waiting) {
    if (dueAt > now) continue
    waiting.delete(id)
    isSilent ||= line.heardAt < askedAt
    reject(new Unavailable('EventStoreDB did not answer in time'))
  }
  if (!isSilent) return
  fail(line, new Unavailable('EventStoreDB does not answer any more'))
  reconnect(client, open?.stub).catch(() => undefined)
}

function fail(line: Line, error: unknown): void {
  if (line.isOver) return
  line.isOver = true
  clearInterval(line.timer)
  line.open?.call.cancel()
  line.ended(error)
  for (const { reject } of line.waiting.values()) reject(error)
  line.waiting.clear()
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
