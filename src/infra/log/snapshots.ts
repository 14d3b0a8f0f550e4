// Snapshots of long streams in PostgreSQL, wherever the log is.
import type { Snapshot, Snapshots } from '../../ports/caches.ts'
import { isRowSeal, rowSeal } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

interface SnapshotRow {
  [column: string]: unknown
  revision: bigint
  event_id: string
  version: number
  written: string
  seal: string
}

const find: Statement = {
  name: 'snapshots_find',
  text: `select revision, event_id, version, written::text as written, seal
    from shop.snapshots
    where stream = $1`,
}

/** A slow writer must not replace a newer snapshot by an older one. */
const keep: Statement = {
  name: 'snapshots_keep',
  text: `insert into shop.snapshots (stream, revision, event_id, version, written, seal)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (stream) do update
    set revision = excluded.revision, event_id = excluded.event_id, version = excluded.version,
      written = excluded.written, seal = excluded.seal, taken_at = now()
    where snapshots.revision < excluded.revision or snapshots.version <> excluded.version`,
}

/** The fields of a snapshot that its seal is over. */
export function sealedFields(stream: string, snapshot: Snapshot): string[] {
  const { revision, eventId, version, written } = snapshot
  return [stream, String(revision), eventId, String(version), written]
}

/** Snapshots in shop.snapshots. With secrets, one that the shop has not written is not used. */
export function createSnapshots(pool: Pool, secrets?: Secrets): Snapshots {
  return {
    async find(stream) {
      const [row] = await rows<SnapshotRow>(pool, find, [stream])
      if (row === undefined) return undefined
      const { revision, event_id: eventId, version, written, seal } = row
      const snapshot = { revision: Number(revision), eventId, version, written }
      if (secrets === undefined) return snapshot
      const fields = sealedFields(stream, snapshot)
      return isRowSeal(secrets, 'snapshots', { fields, seal }) ? snapshot : undefined
    },
    async keep(stream, snapshot) {
      const { revision, eventId, version, written } = snapshot
      const seal = secrets ? rowSeal(secrets, 'snapshots', sealedFields(stream, snapshot)) : ''
      await rows(pool, keep, [stream, revision, eventId, version, written, seal])
    },
  }
}
