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
  /** The events as the JSON that goes to the database, without the leading request number. */
  events: string[]
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
const retryDelaysMs = [20, 100, 400, 1_000]

/** An event as JSON that lacks its opening brace, so that the request number can be put before. */
export function eventText(event: NewEvent, index: number): string {
  const { id, type } = event
  // Payloads travel as text, so that the database stores them as they are: unpacked as JSON they
  // could not hold \u0000.
  const data = JSON.stringify(event.data)
  const metadata = JSON.stringify(event.metadata)
  return `,"i":${index},${JSON.stringify({ id, type, data, metadata }).slice(1)}`
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
  const requests = batch.map(({ request }, n) => ({
    n,
    stream: request.stream,
    expected: expectation(request.expected),
    size: request.events.length,
  }))
  const events = batch.flatMap(({ request }, n) => request.events.map(text => `{"n":${n}${text}`))
  const answers = await rows<AppendRow>(pool, appendBatch, [
    JSON.stringify(requests),
    `[${events.join(',')}]`,
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
