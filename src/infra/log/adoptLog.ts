// Makes another event log the one of this shop: what was derived from the log of before goes.

import { type Position, startOfLog } from '../../kit/position.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import {
  type Pool,
  type Queryable,
  rows,
  type Statement,
  transaction,
} from '../postgres/database.ts'

/** What a log holds, as far as it is shown to who is to accept it. */
export interface LogSummary {
  events: number
  first: RecordedEvent | undefined
  last: RecordedEvent | undefined
}

const setFirst: Statement = {
  name: 'adopt_first_event',
  text: 'update shop.identity set first_event_id = $1',
}
const setSeen: Statement = {
  name: 'adopt_seen_log',
  text: `insert into shop.seen_log as s (position, event_id, stream, revision, adoptions)
    values ($1, $2, $3, $4, 1)
    on conflict (id) do update
    set position = excluded.position, event_id = excluded.event_id, stream = excluded.stream,
      revision = excluded.revision, seen_at = now(), adoptions = s.adoptions + 1`,
}
/** What has been reacted to is not done again; a new epoch fences processes of before off. */
const moveCheckpoints: Statement = {
  name: 'adopt_checkpoints',
  text: `update shop.checkpoints
    set position = case when version is null then $1 else 0 end,
      epoch = epoch + 1, runner = null, leased_until = null, updated_at = now()`,
}
const moveWebhooks: Statement = {
  name: 'adopt_webhooks',
  text: `update shop.webhook_endpoints
    set starts_after = least(starts_after, $1), replay_after = null, replay_to = null`,
}
/** Made from the log of before; what it was signed with stays in its backups. */
const derived = ['parked_events', 'previous_tables', 'snapshots']
const endRebuilds: Statement = {
  name: 'adopt_rebuilds',
  text: `update shop.rebuilds
    set state = 'failed', error = 'another event log was adopted', position = 0,
      epoch = epoch + 1, updated_at = now()`,
}

/** Of the read models: their tables, and the schemas of tables before and during a rebuild. */
export interface Derived {
  tables: readonly string[]
  schemas: readonly string[]
}

/** Reads a log to its end. */
export async function summarize(
  log: Pick<EventStore, 'readAll'>,
  streamPrefixes: readonly string[],
): Promise<LogSummary> {
  const summary: LogSummary = { events: 0, first: undefined, last: undefined }
  for await (const event of log.readAll({ filter: { streamPrefixes } })) {
    summary.first ??= event
    summary.last = event
    summary.events += 1
  }
  return summary
}

/**
 * Accepts a log in one transaction: afterwards the read models are empty and at its start, and
 * processes that run have to be started anew. Signatures are kept up to `signedUpTo`.
 */
export async function adoptLog(
  pool: Pool,
  { first, last }: LogSummary,
  on: Derived & { signedUpTo: Position },
): Promise<void> {
  const head = last?.position ?? startOfLog
  const tables = on.tables.map(name => `readmodel.${name}`)
  await transaction(pool, async session => {
    await rows(session, setFirst, [first?.id ?? null])
    const seen = last && [last.position, last.id, last.stream, last.revision]
    await rows(session, setSeen, seen ?? [null, null, null, null])
    await session.query(`truncate ${tables.join(', ')}`)
    await rows(session, moveCheckpoints, [head])
    await rows(session, moveWebhooks, [head])
    for (const table of derived) await session.query(`delete from shop.${table}`)
    await rows(session, endRebuilds)
    for (const name of on.schemas) await session.query(`drop schema if exists ${name} cascade`)
    await deleteSignatures(session, on.signedUpTo)
  })
}

async function deleteSignatures(session: Queryable, signedUpTo: Position): Promise<void> {
  for (const table of ['audit_publications', 'audit_checkpoints']) {
    await session.query(`delete from shop.${table} where position > ${signedUpTo}`)
  }
}
