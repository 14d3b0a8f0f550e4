// Appends to the event store in PostgreSQL: a batch is one call of one function.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Pool, rows } from '../infra/database.ts'
import { isWeather } from '../infra/weather.ts'
import type { Waiting } from './groupCommit.ts'
import {
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  Unavailable,
  WrongRevision,
} from './port.ts'

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

type Item = Waiting<AppendRequest, AppendResult>

interface AppendRow {
  request: number
  outcome: 'ok' | 'duplicate' | 'wrong-revision'
  revision: bigint
  position: bigint
}

const appendBatch = {
  name: 'eventstore_append',
  text: 'select * from eventstore.append($1, $2)',
}
const appendOne = {
  name: 'eventstore_append_one',
  text: 'select * from eventstore.append_one($1, $2, $3, $4, $5, $6)',
}
const retryDelaysMs = [20, 100, 400, 1_000]

/** Makes an event ready to be sent. */
export function pack({ id, type, data, metadata }: NewEvent): PackedEvent {
  return { id, type, data: JSON.stringify(data), metadata: JSON.stringify(metadata) }
}

/** Writes a batch and settles each of its members; never throws. */
export async function flush(pool: Pool, batch: Item[]): Promise<void> {
  try {
    const answers = await sendWithRetries(pool, batch)
    batch.forEach((item, index) => {
      settle(item, answers.get(index))
    })
  } catch (error) {
    if (batch.length === 1) {
      for (const item of batch) item.reject(translate(error))
    } else if (isWeather(error)) {
      for (const item of batch) item.reject(translate(error))
    } else {
      // One append that the database refuses outright must not fail its neighbours.
      for (const item of batch) await flush(pool, [item])
    }
  }
}

async function sendWithRetries(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
  for (const delayMs of retryDelaysMs) {
    try {
      return await send(pool, batch)
    } catch (error) {
      // Safe to repeat: what a lost answer has written is found again by its event ids.
      if (!isWeather(error)) throw error
      await sleep(delayMs)
    }
  }
  return send(pool, batch)
}

async function send(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
  const [first] = batch
  const alone = batch.length === 1 && first ? await sendOne(pool, first.request) : undefined
  if (alone !== undefined) return new Map([[0, alone]])
  return sendMany(pool, batch)
}

/** One event to a stream that is where it is expected; undefined where it is anything else. */
async function sendOne(
  pool: Pool,
  { stream, expected, events }: AppendRequest,
): Promise<AppendRow | undefined> {
  const [event] = events
  const revision = expectation(expected)
  if (event === undefined || events.length > 1 || revision < -1) return undefined
  const { id, type, data, metadata } = event
  const values = [stream, revision, id, type, data, metadata]
  const [written] = await rows<Pick<AppendRow, 'revision' | 'position'>>(pool, appendOne, values)
  return written && { request: 0, outcome: 'ok', ...written }
}

async function sendMany(pool: Pool, batch: Item[]): Promise<Map<number, AppendRow>> {
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

function settle(item: Item, answer: AppendRow | undefined): void {
  if (answer === undefined) {
    item.reject(new Unavailable('the event store gave no answer'))
  } else if (answer.outcome === 'wrong-revision') {
    const { stream, expected } = item.request
    const actual = answer.revision < 0n ? 'no-stream' : Number(answer.revision)
    item.reject(new WrongRevision(stream, expected, actual))
  } else {
    item.resolve({ revision: Number(answer.revision), position: answer.position })
  }
}

function translate(error: unknown): unknown {
  if (!isWeather(error)) return error
  return new Unavailable('the event store cannot be reached', { cause: error })
}
