// Writes a log of before into an empty store, event by event as it was: the seals in it stay good,
// because they do not cover what a store gives itself.

import type { Pool } from '../../infra/postgres/database.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import type { RestoreLog } from '../../ports/backup.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import { advanced } from '../core/positionNumbers.ts'
import { readAll } from './logReads.ts'

const insertEvents = {
  name: 'eventstore_restore',
  text: `insert into eventstore.events
    (position, stream, revision, event_id, type, data, metadata, recorded_at)
    select * from unnest(
      $1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::json[], $7::json[],
      $8::timestamptz[]
    )`,
}
const lastPosition = {
  name: 'eventstore_restore_end',
  text: 'select coalesce(max(position), 0) as last from eventstore.events',
}

/** The log in a PostgreSQL database: positions count from 1, as they did if it was one before. */
export function postgresRestoreLog(pool: Pool): RestoreLog {
  let last: Position | undefined
  return {
    eventStore: 'postgres',
    async write(events) {
      last ??= (await pool.query<{ last: Position }>(lastPosition)).rows[0]?.last ?? startOfLog
      const before = last
      const column = (of: (event: RecordedEvent) => unknown) => events.map(of)
      const values = [
        events.map((_, index) => String(advanced(before, index + 1))),
        column(({ stream }) => stream),
        column(({ revision }) => revision),
        column(({ id }) => id),
        column(({ type }) => type),
        column(({ data }) => JSON.stringify(data)),
        column(({ metadata }) => JSON.stringify(metadata)),
        column(({ recordedAt }) => recordedAt.toISOString()),
      ]
      await pool.query({ ...insertEvents, values })
      last = advanced(before, events.length)
    },
    readAll: () => readAll(pool),
  }
}

/** The log of another store, which gives positions and times of recording itself. */
export function appendingRestoreLog(store: Pick<EventStore, 'append' | 'readAll'>): RestoreLog {
  return {
    eventStore: 'eventstoredb',
    async write(events) {
      // One after the other: two appends at once may change places.
      for (const run of runsOf(events)) {
        const [first] = run
        if (first === undefined) continue
        const expected = first.revision === 0 ? 'no-stream' : first.revision - 1
        const same = run.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }))
        await store.append(first.stream, expected, same)
      }
    },
    readAll: () => store.readAll(),
  }
}

/** Adjacent events of one stream are one append. */
function runsOf(events: readonly RecordedEvent[]): RecordedEvent[][] {
  const runs: RecordedEvent[][] = []
  for (const event of events) {
    const run = runs.at(-1)
    if (run?.[0]?.stream === event.stream) run.push(event)
    else runs.push([event])
  }
  return runs
}
