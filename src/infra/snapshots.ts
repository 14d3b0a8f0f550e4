// Snapshots of long streams in PostgreSQL, wherever the log is.
import type { Snapshots } from '../commands/ports.ts'
import { type Pool, rows, type Statement } from './database.ts'

interface SnapshotRow {
  [column: string]: unknown
  revision: bigint
  event_id: string
  version: number
  written: string
}

const find: Statement = {
  name: 'snapshots_find',
  text: `select revision, event_id, version, written::text as written
    from shop.snapshots
    where stream = $1`,
}
/** A slow writer must not put an older one in the place of a newer one. */
const keep: Statement = {
  name: 'snapshots_keep',
  text: `insert into shop.snapshots (stream, revision, event_id, version, written)
    values ($1, $2, $3, $4, $5)
    on conflict (stream) do update
    set revision = excluded.revision, event_id = excluded.event_id, version = excluded.version,
      written = excluded.written, taken_at = now()
    where snapshots.revision < excluded.revision or snapshots.version <> excluded.version`,
}

/** Snapshots in shop.snapshots. */
export function createSnapshots(pool: Pool): Snapshots {
  return {
    async find(stream) {
      const [row] = await rows<SnapshotRow>(pool, find, [stream])
      if (row === undefined) return undefined
      const { revision, event_id: eventId, version, written } = row
      return { revision: Number(revision), eventId, version, written }
    },
    async keep(stream, { revision, eventId, version, written }) {
      await rows(pool, keep, [stream, revision, eventId, version, written])
    },
  }
}
