// Row 12. Path: a catch-up subscription through the port to a handler that does nothing. Limit: the
// same rows read with the driver, parsed, in pages of the same size. Bar: at least 85 % of it.
import { randomUUID } from 'node:crypto'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import type { Pool } from '../src/infra/postgres/database.ts'
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, type Report, rate, roundsFor } from './harness.ts'
import { insertRows, sampleEvent } from './rawLog.ts'

const raw = 'pg, pages of 1,000, parsed'
const rawLarge = 'pg, pages of 10,000, parsed'
const port = 'subscription to a no-op handler'
const rowsAtOnce = 500

export async function read({ database: { pool, clock }, quick }: Bench): Promise<Report> {
  const total = quick ? 50_000 : 200_000
  await fill(pool, total)
  clock.watchAlone('Node', process.pid)
  const candidates: Candidate[] = [
    candidate(raw, total, () => readRaw(pool, total, 1_000)),
    candidate(rawLarge, total, () => readRaw(pool, total, 10_000)),
    candidate(port, total, () => subscribe(pool, total)),
  ]
  const measured = await interleave(candidates, roundsFor(quick), clock)
  return {
    name: 'read',
    measured,
    verdicts: [raw, rawLarge].map(to =>
      judge(measured, { row: 12, path: port, of: port, to, bar: { atLeast: 0.85 } }),
    ),
    notes: [`a log of ${total.toLocaleString('en-GB')} events of about 300 bytes, in memory`],
  }
}

async function fill(pool: Pool, total: number): Promise<void> {
  const statements = Math.ceil(total / rowsAtOnce)
  await rate({ total: statements, inFlight: 4 }, statement => {
    const rows = Array.from({ length: rowsAtOnce }, (_, row) => ({
      position: statement * rowsAtOnce + row + 1,
      stream: `cart-${randomUUID()}`,
      event: sampleEvent(),
    }))
    return insertRows(pool, 'eventstore.events', rows)
  })
  await pool.query('vacuum analyze eventstore.events')
}

/** Reads the whole log once a round; `work` gives how many events it has seen. */
function candidate(name: string, total: number, work: () => Promise<number>): Candidate {
  const run = async () => {
    const startedAt = performance.now()
    const seen = await work()
    if (seen < total) throw new Error(`${seen} of ${total} events came`)
    return total / ((performance.now() - startedAt) / 1_000)
  }
  return { name, unit: 'events/s', run }
}

/** Reads so many events with the driver, as objects; gives how many came. */
export async function readRaw(pool: Pool, total: number, page: number): Promise<number> {
  const session = await pool.connect()
  let seen = 0
  try {
    for (let after = 0; after < total; after += page) {
      const { rows } = await session.query({
        name: 'bench_read',
        text: `select position, stream, revision, event_id, type, data, metadata, recorded_at
          from eventstore.events where position > $1 and position <= $2 order by position`,
        values: [after, after + page],
      })
      seen += rows.length
    }
  } finally {
    session.release()
  }
  return seen
}

async function subscribe(pool: Pool, total: number): Promise<number> {
  const store = postgresEventStore(pool)
  let seen = 0
  try {
    for await (const { events } of store.subscribe()) {
      seen += events.length
      if (seen >= total) break
    }
  } finally {
    await store.close()
  }
  return seen
}
