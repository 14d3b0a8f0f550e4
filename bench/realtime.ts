// Rows 9 and 17. Path: from an event in the log to its message at a WebSocket client, by way of the
// read model, at 500 commands a second that are sent when they are due. Every fifth moves an order
// along (paid, shipped, delivered), which makes a message; the others fill carts. Row 9: 50
// clients; p50 within 12 ms, p99 within 50 ms. Row 17: 500 clients more that have nothing to hear;
// p99 within 100 ms, and at most 100 MB more in the API.
import type { Position } from '../src/kit/position.ts'
import { fill } from './addToCart.ts'
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { type Listeners, startListeners } from './listeners.ts'
import type { Call } from './loadPlan.ts'
import { newAdmin, newOrders, newProducts, newShoppers, type Shopper } from './people.ts'
import { residentMb } from './residentMemory.ts'
import { percentile } from './statistics.ts'

const perSecond = 500
/** So many commands make one message. */
const commandsAMessage = 5
const active = 50
const idle = 500
const connections = 64
const few = `event to message, ${active} clients`
const many = `event to message, ${active} clients and ${idle} idle`
const memory = `memory of ${idle} idle clients`

export function realtime(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    const { app, closers } = http
    const rounds = roundsFor(bench.quick)
    const seconds = bench.quick ? 1 : 5
    const shoppers = await newShoppers(app.back, active)
    const listeners = startListeners()
    closers.push(listeners.stop)
    const count = 2 * (rounds.warmups + rounds.rounds)
    const parts = await commandParts(http, shoppers, { count, perPart: seconds * perSecond })
    await app.startWorker()
    await app.catchUp()
    await listeners.connect(
      app.url,
      shoppers.map(({ token }) => token),
    )
    const send = sender(bench, http, { listeners, parts })
    const before = await interleave(latencies(few, send), rounds)
    const crowd = await newShoppers(app.back, idle)
    await app.catchUp()
    const memoryBefore = await residentMb(app.api.pid)
    await listeners.connect(
      app.url,
      crowd.map(({ token }) => token),
    )
    const used = measuredAs(memory, 'MB', [(await residentMb(app.api.pid)) - memoryBefore])
    const after = await interleave(latencies(many, send), rounds)
    const measured = [...before, ...after, used]
    return {
      name: 'realtime',
      measured,
      verdicts: [
        judge(measured, { row: 9, path: p(few, 50), of: p(few, 50), bar: { atMost: 12 } }),
        judge(measured, { row: 9, path: p(few, 99), of: p(few, 99), bar: { atMost: 50 } }),
        judge(measured, { row: 9, path: few, of: few, bar: { atLeast: perSecond * 0.95 } }),
        judge(measured, { row: 17, path: p(many, 99), of: p(many, 99), bar: { atMost: 100 } }),
        judge(measured, { row: 17, path: memory, of: memory, bar: { atMost: 100 } }),
      ],
      notes: [`${perSecond} commands/s are asked for; times are those of the rows, to 1 ms`],
    }
  })
}

const p = (name: string, percent: number) => `${name}, p${percent}`

interface Round {
  perSecond: number
  sorted: number[]
}

function latencies(name: string, send: () => Promise<Round>): Candidate[] {
  let last: Round = { perSecond: 0, sorted: [] }
  return [
    {
      name,
      unit: 'commands/s',
      async run() {
        last = await send()
        return last.perSecond
      },
    },
    { name: p(name, 50), unit: 'ms', run: async () => percentile(last.sorted, 50) },
    { name: p(name, 99), unit: 'ms', run: async () => percentile(last.sorted, 99) },
  ]
}

/** Sends the next part of the commands and gives how long each message took to its client. */
function sender(
  { database }: Bench,
  { app, loader }: HttpBench,
  { listeners, parts }: { listeners: Listeners; parts: Call[][][] },
): () => Promise<Round> {
  return async () => {
    const lanes = parts.shift() ?? []
    const plan = { url: app.url, lanes, expects: [200, 201], perSecond }
    const result = await loader.run('commands', plan)
    const arrivals = await listeners.collect(result.requests / commandsAMessage)
    const { rows } = await database.pool.query<{ position: Position; at: number }>(
      `select position, extract(epoch from recorded_at)::float8 * 1000 as at
        from eventstore.events
        where position = any($1::bigint[])`,
      [arrivals.map(({ position }) => position)],
    )
    const recordedAt = new Map(rows.map(({ position, at }) => [String(position), at]))
    const took = arrivals.map(({ position, atMs }) => atMs - (recordedAt.get(position) ?? 0))
    return { perSecond: result.perSecond, sorted: took.toSorted((a, b) => a - b) }
  }
}

/**
 * Commands in so many parts, each dealt out to the connections; an order stays with one of them.
 */
async function commandParts(
  { app }: HttpBench,
  shoppers: readonly Shopper[],
  { count, perPart }: { count: number; perPart: number },
): Promise<Call[][][]> {
  const admin = await newAdmin(app.back, app.url)
  const products = await newProducts(app.back, { count: 500, stock: 1_000_000 })
  // As many on each connection: where some end before others, less is sent than was asked for.
  const storiesEach = connections * Math.ceil(perPart / (3 * commandsAMessage) / connections)
  const each = Math.ceil((count * storiesEach) / shoppers.length)
  const owned = await newOrders(app.back, { shoppers, products, each })
  const stories = shoppers.flatMap((shopper, owner) =>
    (owned[owner] ?? []).map(id =>
      commandsOn(id, { shopper, admin }).flatMap((move, step) => {
        // A few lines, as carts have: hundreds of them would be what is measured.
        const from = owner + step
        return [...fill(shopper, products, { from, lines: commandsAMessage - 1 }), move]
      }),
    ),
  )
  return Array.from({ length: count }, (_, part) => {
    const own = stories.slice(part * storiesEach, (part + 1) * storiesEach)
    return Array.from({ length: connections }, (_lane, lane) =>
      own.filter((_story, at) => at % connections === lane).flat(),
    )
  })
}

function commandsOn(
  orderId: string,
  { shopper, admin }: { shopper: Shopper; admin: string },
): Call[] {
  const path = `/api/orders/${orderId}`
  const move = (status: string): Call => {
    return { method: 'PATCH', path: `${path}/status`, token: admin, body: { status } }
  }
  return [
    { method: 'POST', path: `${path}/pay`, token: shopper.token, body: {}, keyed: true },
    move('shipped'),
    move('delivered'),
  ]
}
