// Drives load over its connections and counts what comes back.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, openConnection } from './connection.ts'
import type { Call, LoadPlan, LoadResult } from './loadPlan.ts'
import { percentile } from './statistics.ts'

const surprisesMax = 3
const surpriseLength = 300

interface Counting {
  durations: number[]
  statuses: Map<number, number>
  surprises: string[]
}

/** Does what a plan says. Throws when a connection breaks. */
export async function drive(plan: LoadPlan): Promise<LoadResult> {
  const connections = await Promise.all(
    plan.lanes.map((_, lane) => openConnection(serverOf(plan, lane))),
  )
  const counting: Counting = { durations: [], statuses: new Map(), surprises: [] }
  const startedAt = performance.now()
  try {
    await Promise.all(
      connections.map((connection, lane) =>
        driveLane(plan, { connection, lane, startedAt, counting }),
      ),
    )
    return summary(counting, performance.now() - startedAt)
  } finally {
    for (const connection of connections) connection.close()
  }
}

function serverOf({ url }: LoadPlan, lane: number): string {
  return typeof url === 'string' ? url : (url[lane % url.length] ?? '')
}

interface Lane {
  connection: Connection
  lane: number
  startedAt: number
  counting: Counting
}

async function driveLane(plan: LoadPlan, { connection, lane, startedAt, counting }: Lane) {
  const calls = plan.lanes[lane] ?? []
  const requests = calls.map(call => request(serverOf(plan, lane), call))
  const until = plan.forMs === undefined ? undefined : startedAt + plan.forMs
  const most = until === undefined ? requests.length : Number.POSITIVE_INFINITY
  for (let sent = 0; sent < most && requests.length > 0; sent += 1) {
    // Requests count from when they were due: a stall must not hide the delay of those after it.
    const due = dueAt(plan, startedAt, sent * plan.lanes.length + lane)
    if (until !== undefined && due >= until) return
    await waitUntil(due)
    const { status, body } = await connection.send(requests[sent % requests.length]?.() ?? '')
    counting.durations.push(performance.now() - due)
    counting.statuses.set(status, (counting.statuses.get(status) ?? 0) + 1)
    if (!plan.expects.includes(status) && counting.surprises.length < surprisesMax) {
      counting.surprises.push(`${status} ${body.toString('utf8', 0, surpriseLength)}`)
    }
  }
}

function dueAt({ perSecond }: LoadPlan, startedAt: number, index: number): number {
  return perSecond === undefined ? performance.now() : startedAt + (index * 1_000) / perSecond
}

async function waitUntil(due: number): Promise<void> {
  const early = due - performance.now()
  if (early > 1) await sleep(early)
}

/** Gives the text of a request, made anew where each sending has to differ. */
function request(
  url: string,
  { method, path, token, headers = {}, body, keyed }: Call,
): () => string {
  const content = body === undefined ? '' : JSON.stringify(body)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : ['content-type: application/json']),
    ...(body === undefined ? [] : [`content-length: ${Buffer.byteLength(content)}`]),
  ].join('\r\n')
  if (!keyed) {
    const whole = `${head}\r\n\r\n${content}`
    return () => whole
  }
  return () => `${head}\r\nidempotency-key: ${randomUUID()}\r\n\r\n${content}`
}

function summary({ durations, statuses, surprises }: Counting, ms: number): LoadResult {
  const sorted = durations.toSorted((a, b) => a - b)
  return {
    requests: durations.length,
    perSecond: durations.length / (ms / 1_000),
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    statuses: Object.fromEntries(statuses),
    surprises,
  }
}
