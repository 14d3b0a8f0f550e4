// Beside row 1. Path: appends of one event to distinct streams while each commit takes 5 ms longer,
// as on a disk that takes its time. Limit: what one event a commit could do there, 200 a second.
// No bar: the figure to look at is how many events leave together.
import { randomUUID } from 'node:crypto'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import type { Bench } from './benchmark.ts'
import { interleave, judge, measuredAs, type Report, rate, roundsFor } from './harness.ts'
import { sampleEvent } from './rawLog.ts'

const slowerMs = 5
const limit = 'one event a commit'
const levels = [1, 64, 512]
const nameOf = (inFlight: number) => `commits ${slowerMs} ms slower, ${inFlight} in flight`

/** The lock is held meanwhile, as it is until a commit is on disk. */
const slowDown = `
  create function public.bench_slow() returns trigger language plpgsql as $$
  begin
    perform pg_sleep(${slowerMs / 1_000});
    return null;
  end $$;
  create trigger bench_slow after insert on eventstore.events
    for each statement execute function public.bench_slow()`

export async function slowDisk({ database: { pool }, quick }: Bench): Promise<Report> {
  await pool.query(slowDown)
  const store = postgresEventStore(pool)
  const seconds = quick ? 0.5 : 3
  const at = (inFlight: number) => ({
    name: nameOf(inFlight),
    unit: 'events/s',
    run: () =>
      rate({ total: Math.ceil(inFlight * seconds * 100), inFlight }, () =>
        store.append(`at${inFlight}-${randomUUID()}`, 'no-stream', [sampleEvent()]),
      ),
  })
  try {
    const taken = await interleave(levels.map(at), roundsFor(quick))
    const alone = taken[0]?.figures.map(() => 1_000 / slowerMs) ?? []
    const measured = [...taken, measuredAs(limit, 'events/s', alone)]
    return {
      name: 'slowDisk',
      measured,
      verdicts: levels.map(inFlight => {
        const path = nameOf(inFlight)
        return judge(measured, { row: 1, path, of: path, to: limit })
      }),
      notes: await batchSizes(pool),
    }
  } finally {
    await store.close()
  }
}

/** Events of one transaction carry its number. */
async function batchSizes(pool: Bench['database']['pool']): Promise<string[]> {
  const { rows } = await pool.query<{ level: string; mean: number }>(`
    select level, avg(size)::float8 as mean
    from (
      select split_part(stream, '-', 1) as level, count(*) as size
      from eventstore.events
      group by level, xmin::text
    ) batches
    group by level
    order by mean
  `)
  return rows.map(({ level, mean }) => {
    return `${level.slice(2)} in flight: ${mean.toFixed(1)} events a commit`
  })
}
