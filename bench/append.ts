// Rows 1 and 2. Path: one event appended through the port to distinct streams, 64 in flight, and
// one at a time. Limits: a multi-row insert of the same rows, 100 a transaction, 16 clients; one
// prepared insert. Bars: at least 40 % of the rate; a median within 1.5 times.

import { randomUUID } from 'node:crypto'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import type { Pool } from '../src/infra/postgres/database.ts'
import type { Position } from '../src/kit/position.ts'
import type { EventStore } from '../src/ports/eventStore.ts'
import type { Bench } from './benchmark.ts'
import {
  type Candidate,
  interleave,
  judge,
  type Measured,
  medianMs,
  type Report,
  rate,
  roundsFor,
  type Verdict,
} from './harness.ts'
import { insertRows, sampleEvent } from './rawLog.ts'

const rawTable = 'bench_events'
const raw = 'multi-row insert, 100 a transaction, 16 clients'
const rawOne = 'idle p50: one prepared insert'
const one = 'idle p50: one append'
const rowsAtOnce = 100
const levels = [
  { inFlight: 1, total: 3_000 },
  { inFlight: 16, total: 20_000 },
  { inFlight: 64, total: 30_000 },
]

export async function append({ database: { pool, clock }, quick }: Bench): Promise<Report> {
  await pool.query(`drop table if exists ${rawTable}`)
  await pool.query(`create table ${rawTable} (like eventstore.events including all)`)
  const store = postgresEventStore(pool)
  clock.watchAlone('Node', process.pid)
  const head = await store.head()
  const size = quick ? 0.25 : 1
  const rawLog = rawWriter(pool)
  try {
    const candidates: Candidate[] = [
      { name: raw, unit: 'events/s', run: () => rawLog.many(30_000 * size) },
      ...levels.map(level => appendsAt(store, { ...level, total: level.total * size })),
      { name: rawOne, unit: 'ms', run: () => medianMs(1_000 * size, rawLog.one) },
      { name: one, unit: 'ms', run: () => medianMs(1_000 * size, () => appendOne(store, 'idle')) },
    ]
    const measured = await interleave(candidates, roundsFor(quick), clock)
    const verdicts = verdictsOf(measured)
    return { name: 'append', measured, verdicts, notes: await batchSizes(pool, head) }
  } finally {
    await store.close()
  }
}

function verdictsOf(measured: readonly Measured[]): Verdict[] {
  const rates = levels.map(({ inFlight }) =>
    judge(measured, {
      row: 1,
      path: `append, ${inFlight} in flight`,
      of: nameOf(inFlight),
      to: raw,
      ...(inFlight === 64 && { bar: { atLeast: 0.4 } }),
    }),
  )
  const idle = { row: 2, path: 'append, idle, p50', of: one, to: rawOne, bar: { atMost: 1.5 } }
  return [...rates, judge(measured, idle)]
}

function nameOf(inFlight: number): string {
  return `port, ${inFlight} in flight`
}

function appendsAt(store: EventStore, level: { inFlight: number; total: number }): Candidate {
  const run = () => rate(level, () => appendOne(store, `at${level.inFlight}`))
  return { name: nameOf(level.inFlight), unit: 'events/s', run }
}

function appendOne(store: EventStore, prefix: string) {
  return store.append(`${prefix}-${randomUUID()}`, 'no-stream', [sampleEvent()])
}

function rawWriter(pool: Pool) {
  let position = 0
  const write = async (count: number) => {
    const first = position
    position += count
    const rows = Array.from({ length: count }, (_, row) => ({
      position: first + row + 1,
      stream: `raw-${randomUUID()}`,
      event: sampleEvent(),
    }))
    await insertRows(pool, rawTable, rows)
  }
  return {
    one: () => write(1),
    async many(total: number) {
      const transactions = Math.ceil(total / rowsAtOnce)
      const each = await rate({ total: transactions, inFlight: 16 }, () => write(rowsAtOnce))
      return each * rowsAtOnce
    },
  }
}

/** How many events left together: those of one transaction carry its number. */
async function batchSizes(pool: Pool, after: Position): Promise<string[]> {
  const { rows } = await pool.query<{ level: string; mean: number; most: number }>(
    `
    select level, avg(size)::float8 as mean, max(size)::integer as most
    from (
      select split_part(stream, '-', 1) as level, xmin::text, count(*) as size
      from eventstore.events
      where position > $1
      group by level, xmin::text
    ) batches
    group by level
    order by mean
  `,
    [after],
  )
  return rows
    .filter(({ level }) => level.startsWith('at'))
    .map(({ level, mean, most }) => {
      return `${level.slice(2)} in flight: ${mean.toFixed(1)} events a write, ${most} at most`
    })
}
