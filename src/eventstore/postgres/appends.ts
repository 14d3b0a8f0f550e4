// Appends to the event store in PostgreSQL: a batch is one call of one function.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Pool, rows } from '../../infra/postgres/database.ts'
import type { Position } from '../../kit/position.ts'
import { isTransient } from '../../kit/transient.ts'
import {
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  Unavailable,
  WrongRevision,
} from '../../ports/eventStore.ts'
import type { PendingRequest } from '../core/groupCommit.ts'
import { advanced } from '../core/positionNumbers.ts'
import type { StreamHeads } from '../core/streamHeads.ts'
import { jsonArray, plainArray, textArray } from './arrays.ts'

export interface AppendRequest {
  stream: string
  expected: ExpectedRevision
  events: PackedEvent[]
}

/**
 * An event whose payloads are text, so that the database stores them as they are: unpacked as JSON
 * they could not hold \u0000.
 */
interface PackedEvent {
  id: string
  type: string
  data: string
  metadata: string
}

type Item = PendingRequest<AppendRequest, AppendResult>

interface AppendRow {
  request: number
  outcome: 'ok' | 'duplicate' | 'wrong-revision'
  revision: bigint
  position: Position
}

const appendBatch = {
  name: 'eventstore_append',
  text: 'select * from eventstore.append($1, $2)',
}

const appendPlain = {
  name: 'eventstore_append_plain',
  text: 'select eventstore.append_plain($1, $2, $3, $4, $5, $6, $7) as head',
}

const retryDelaysMs = [20, 100, 400, 1_000]
/** No further attempt begins so long after the first one: the next batch is waiting. */
const triesMs = 8_000

/** Makes an event ready to be sent. */
export function pack({ id, type, data, metadata, text }: NewEvent): PackedEvent {
  if (text !== undefined) return { id, type, ...text }
  return { id, type, data: JSON.stringify(data), metadata: JSON.stringify(metadata) }
}

/** Learns what became of the members of a batch. */
export interface AppendObserver {
  onWritten: StreamHeads['appended']
  /** One met another revision than it expected. */
  onConflict(): void
}

/** Writes a batch and settles each of its members; never throws. */
export async function flush(pool: Pool, batch: Item[], observer: AppendObserver): Promise<void> {
  try {
    const answers = await sendWithRetries(pool, batch)
    for (const [index, item] of batch.entries()) settle(item, answers.get(index), observer)
  } catch (error) {
    if (batch.length === 1) {
      for (const item of batch) item.reject(translate(error))
    } else if (isTransient(error)) {
      for (const item of batch) item.reject(translate(error))
    } else {
      // One append that the database refuses outright must not fail its neighbours.
      for (const item of batch) await flush(pool, [item], observer)
    }
  }
}

async function sendWithRetries(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
  const lastTryAt = performance.now() + triesMs
  for (const delayMs of retryDelaysMs) {
    try {
      return await send(pool, batch)
    } catch (error) {
      // Safe to repeat: what a lost answer has written is found again by its event ids.
      if (!isTransient(error) || performance.now() + delayMs > lastTryAt) throw error
      await sleep(delayMs)
    }
  }
  return send(pool, batch)
}

async function send(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
  return (await sendPlain(pool, batch)) ?? sendSorted(pool, batch)
}

/** Appends to streams that are all where they are expected; undefined where one is not. */
async function sendPlain(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow> | undefined> {
  const all = batch.flatMap(({ request: { stream, expected, events } }) => {
    const revision = expectation(expected)
    return events.map((event, nth) => ({ stream, expected: revision, nth, ...event }))
  })
  if (all.some(({ expected }) => expected < -1)) return undefined
  const [answer] = await rows<{ head: Position | null }>(pool, appendPlain, [
    textArray(all.map(({ stream }) => stream)),
    plainArray(all.map(({ expected }) => expected)),
    plainArray(all.map(({ nth }) => nth)),
    plainArray(all.map(({ id }) => id)),
    textArray(all.map(({ type }) => type)),
    jsonArray(all.map(({ data }) => data)),
    jsonArray(all.map(({ metadata }) => metadata)),
  ])
  if (answer === undefined || answer.head === null) return undefined
  return written(batch, answer.head)
}

/** What a batch has led to that was written as a whole. */
function written(batch: Item[], head: Position): Map<number, AppendRow> {
  let position = head
  return new Map(
    batch.map(({ request: { expected, events } }, n) => {
      position = advanced(position, events.length)
      const revision = BigInt(expectation(expected) + events.length)
      return [n, { request: n, outcome: 'ok', revision, position }]
    }),
  )
}

/** Appends what can be appended, and says of each of the others why not. */
async function sendSorted(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
  const requests = batch.map(({ request }, n) => ({
    n,
    stream: request.stream,
    expected: expectation(request.expected),
    size: request.events.length,
  }))
  const events = batch.flatMap(({ request }, n) =>
    request.events.map((event, i) => ({ n, i, ...event })),
  )
  const answers = await rows<AppendRow>(pool, appendBatch, [
    JSON.stringify(requests),
    JSON.stringify(events),
  ])
  return new Map(answers.map(answer => [answer.request, answer]))
}

function expectation(expected: ExpectedRevision): number {
  if (expected === 'no-stream') return -1
  if (expected === 'any') return -2
  if (expected === 'exists') return -4
  return expected
}

function settle(item: Item, answer: AppendRow | undefined, observer: AppendObserver): void {
  if (answer === undefined) {
    item.reject(new Unavailable('the event store gave no answer'))
    return
  }
  const { stream, expected, events } = item.request
  const { outcome, position } = answer
  const revision = Number(answer.revision)
  if (outcome === 'wrong-revision') {
    observer.onConflict()
    item.reject(new WrongRevision(stream, expected, revision < 0 ? 'no-stream' : revision))
    return
  }
  if (outcome === 'ok') {
    observer.onWritten({ stream, revision, position, after: advanced(position, -events.length) })
  }
  item.resolve({ revision, position, repeated: outcome === 'duplicate' })
}

function translate(error: unknown): unknown {
  if (!isTransient(error)) return error
  return new Unavailable('the event store cannot be reached', { cause: error })
}
