// Sends hostile requests, and says what is wrong with the answers and with what they leave behind.

import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import type { Operation } from './apiContract.ts'
import type { TestApp } from './testApp.ts'
import { waitFor } from './waitFor.ts'

/** How many poisons each place of a request gets; HOSTILE_CASES=100 is all of them. */
const cases = Number(process.env.HOSTILE_CASES ?? 3)
/** Which of them: HOSTILE_SEED repeats a run. */
const seed = Number(process.env.HOSTILE_SEED ?? 20_261_130)
const atOnce = 8

/** For the log of the run: how it can be repeated. */
export function sayHowToRepeat(): void {
  console.log(`hostile input: HOSTILE_SEED=${seed} HOSTILE_CASES=${cases}`)
}

let turn = 0

/** Some of them, others the next time: all places together see all of them. */
export function some<Item>(items: readonly Item[]): Item[] {
  turn += 1
  const size = Math.min(cases, items.length)
  const subsets = fc.shuffledSubarray([...items], { minLength: size, maxLength: size })
  return fc.sample(subsets, { numRuns: 1, seed: seed + turn }).flat()
}

export interface HostileRequest {
  /** The method and the path of the document. */
  name: string
  operation?: Operation
  method: string
  path: string
  headers?: Record<string, string>
  body?: string | Buffer
  /** Without one, the admin's. */
  token?: string | null
}

/** A machine under load may ask to be asked again, but not for ever. */
const triesMax = 4

/** What is wrong with the answer; undefined where it is as declared. */
async function faultOf(app: TestApp, request: HostileRequest): Promise<string | undefined> {
  let fault: string | undefined
  for (let tries = 0; tries < triesMax; tries += 1) {
    fault = await faultOfOne(app, request)
    if (fault?.includes('→ 503') !== true) return fault
  }
  return fault
}

async function faultOfOne(app: TestApp, request: HostileRequest): Promise<string | undefined> {
  const { name, method, path, headers = {}, body, token = app.admin.access, operation } = request
  const response = await fetch(app.url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      'idempotency-key': randomUUID(),
      ...(method === 'GET' ? {} : { 'if-match': '*' }),
      ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    signal: AbortSignal.timeout(20_000),
  })
  const text = await response.text()
  const { status } = response
  const type = response.headers.get('content-type')
  const known = operation ?? operationOf(app, name)
  const isDeclared = status === 405 || status === 304 || String(status) in known.responses
  const isProblem = status < 400 || type === 'application/problem+json; charset=utf-8'
  if (status < 500 && isDeclared && isProblem) return undefined
  const sent = `${path.slice(0, 150)} ${JSON.stringify(headers)} ${body?.toString().slice(0, 150)}`
  return `${name} → ${status} ${type} for ${sent}: ${text.slice(0, 150)}`
}

function operationOf({ contract }: TestApp, name: string): Operation {
  const [method = '', path = ''] = name.split(' ')
  const operation = contract.document.paths[path]?.[method.toLowerCase()]
  if (operation === undefined) throw new Error(`${name} is not in the document`)
  return operation
}

/** Sends all of them, some at once; how many they were. Fails with what is wrong with answers. */
export async function sendAll(app: TestApp, all: Iterable<HostileRequest>): Promise<number> {
  const waiting = all[Symbol.iterator]()
  const faults: string[] = []
  let count = 0
  const send = async () => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      count += 1
      const fault = await faultOf(app, next.value)
      if (fault !== undefined) faults.push(fault)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, send))
  expect(faults.slice(0, 20)).toEqual([])
  return count
}

/** Waits until every read model and reaction is level with the log, and nothing is parked. */
export async function expectNothingParked(app: TestApp): Promise<void> {
  const head = await app.back.eventStore.head()
  await waitFor('all read models and reactions', async () => {
    const { rows } = await app.back.pool.query<{ least: Position | null }>(
      'select min(position) as least from shop.checkpoints',
    )
    return (rows[0]?.least ?? startOfLog) >= head
  })
  const { rows } = await app.back.pool.query('select name, type, error from shop.parked_events')
  expect(rows).toEqual([])
}
