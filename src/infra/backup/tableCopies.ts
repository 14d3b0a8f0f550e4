// Copies the tables of the schema shop out of a database and into another one.

import type { Position } from '../../kit/position.ts'
import type { RestoreTarget, ShopRow, TableCopies } from '../../ports/backup.ts'
import { restoreBegun, unfinishedRestore } from '../log/shopIdentity.ts'
import {
  atOneMoment,
  type Pool,
  rows,
  type Session,
  type Statement,
  transaction,
} from '../postgres/database.ts'
import { migrateTo } from '../postgres/migrate.ts'

/** In an order in which each row finds those that it refers to. */
export const copiedTables = [
  'shop.identity',
  'shop.checkpoints',
  'shop.parked_events',
  'shop.parking_decisions',
  'shop.accounts',
  'shop.email_changes',
  'shop.signing_keys',
  'shop.mails',
  'shop.simulated_payments',
  'shop.simulated_refunds',
  'shop.simulated_disputes',
  'shop.stripe_payments',
  'shop.payment_callbacks',
  'shop.payment_findings',
  'shop.image_jobs',
  'shop.product_imports',
  'shop.product_import_chunks',
  'shop.product_import_faults',
  'shop.product_import_rows',
  'shop.webhook_endpoints',
  'shop.webhook_deliveries',
  'shop.audit_keys',
  'shop.audit_checkpoints',
  'shop.audit_publications',
] as const

/** Copied last, as they are then. */
const personKeys = 'shop.person_keys'

/**
 * Not in a backup. People sign in again, and ask again for what they were mailed: a token that was
 * used or taken back since would be good once more. The rest is made anew.
 */
export const leftOutTables: Readonly<Record<string, string>> = {
  'shop.sessions': 'people sign in again',
  'shop.refresh_tokens': 'people sign in again',
  'shop.tickets': 'good for seconds',
  'shop.password_resets': 'people ask again',
  'shop.email_tokens': 'people ask again',
  'shop.snapshots': 'made anew from the log',
  'shop.rebuilds': 'of read models, which are made anew',
  'shop.seen_log': 'of the log of before: where it is put back, it has other positions',
  'shop.previous_tables': 'of read models, which are made anew',
  'shop.listing_version': 'made anew with the database',
  'shop.write_probes': 'holds nothing',
  'shop.audit_marks': 'names the database that it is in',
}

/** Reactions have no version: what they have done is not done again. Read models begin anew. */
const ofReactions: Readonly<Record<string, string>> = {
  'shop.checkpoints': 'where version is null',
  'shop.parked_events': 'where name in (select name from shop.checkpoints where version is null)',
}

const rowsAtOnce = 1_000

/** The tables of a database; its pool has no statement timeout. */
export function createTableCopies(pool: Pool): TableCopies {
  return {
    copyOut: onMoment =>
      atOneMoment(pool, async function* (session) {
        const [moment] = await rows<{ head: Position; holds_log: boolean }>(session, momentOf)
        await onMoment(moment?.holds_log ? moment.head : undefined)
        for (const table of copiedTables) yield { table, rows: rowsOf(session, table) }
      }),
    personKeys: () => ({
      table: personKeys,
      rows: atOneMoment(pool, session => rowsOf(session, personKeys)),
    }),
    async describe() {
      const [shop] = await rows<ShopRow>(pool, findShop)
      if (shop === undefined) throw new Error('the database does not say which shop it is of')
      const applied = await rows<{ name: string }>(pool, appliedMigrations)
      return { shop, migrations: applied.map(({ name }) => name) }
    },
  }
}

const momentOf: Statement = {
  name: 'backup_moment',
  text: `select coalesce((select max(position) from eventstore.events), 0) as head,
      coalesce((select event_store from shop.identity), 'postgres') = 'postgres' as holds_log`,
}
const findShop: Statement = {
  name: 'backup_shop',
  text: `select shop_id::text as "shopId", currency, event_store as "eventStore"
    from shop.identity`,
}
const appliedMigrations: Statement = {
  name: 'backup_migrations',
  text: 'select name from public.kysely_migration order by name',
}

async function* rowsOf(session: Session, table: string): AsyncGenerator<readonly string[]> {
  const where = ofReactions[table] ?? ''
  await session.query(
    `declare copied no scroll cursor for
      select row_to_json(t)::text as row from ${table} t ${where}`,
  )
  for (;;) {
    const { rows: found } = await session.query<{ row: string }>(
      `fetch forward ${rowsAtOnce} from copied`,
    )
    yield found.map(({ row }) => row)
    if (found.length < rowsAtOnce) break
  }
  await session.query('close copied')
}

/** A database that a backup is put into. */
export function createRestoreTarget(pool: Pool, databaseUrl: string): RestoreTarget {
  return {
    async occupied() {
      const [found] = await rows<{ found: string | null }>(pool, findOccupied)
      if (found?.found === null || found === undefined) return undefined
      if ([unfinishedRestore, restoreBegun].includes(found.found)) return brokenOff
      return `DATABASE_URL names a database that holds ${found.found}: restore into an empty one`
    },
    async migrateTo(migrations) {
      await pool.query(`create schema ${restoreBegun}`)
      await migrateTo(databaseUrl, migrations)
      await pool.query(`create table ${unfinishedRestore} (); drop schema ${restoreBegun}`)
    },
    async copyIn(table, source) {
      const known: readonly string[] = [...copiedTables, personKeys]
      if (!known.includes(table)) throw new Error(`${table} is no table of a backup`)
      for (let from = 0; from < source.length; from += rowsAtOnce) {
        const some = `[${source.slice(from, from + rowsAtOnce).join(',')}]`
        await pool.query(
          `insert into ${table} overriding system value
            select * from json_populate_recordset(null::${table}, $1::json)`,
          [some],
        )
      }
    },
    async adopt(eventStore, firstEventId) {
      await transaction(pool, async session => {
        await rows(session, adopt, [eventStore, firstEventId])
        await session.query(dropPrefix)
        await session.query(goOnNumbering)
        await session.query(resetRunners)
      })
    },
    async finish() {
      await pool.query(`drop table ${unfinishedRestore}`)
    },
    move: events => movePositions(pool, events),
  }
}

const findOccupied: Statement = {
  name: 'restore_occupied',
  text: `select found from (
      select n.nspname || '.' || c.relname as found
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname in ('shop', 'eventstore', 'readmodel')
      union all
      select nspname from pg_namespace where nspname = '${restoreBegun}'
    ) as all_found
    order by found in ('${unfinishedRestore}', '${restoreBegun}') desc, found
    limit 1`,
}
const brokenOff =
  'DATABASE_URL names a database into which a backup is being restored, or was not to its end: ' +
  'drop it, and restore into an empty one'
const adopt: Statement = {
  name: 'restore_adopt',
  text: 'update shop.identity set event_store = $1, first_event_id = $2',
}

/** No worker has run on this database: none of before holds a lease on it. */
const resetRunners = 'update shop.checkpoints set runner = null, leased_until = null, epoch = 0'

/** The log may be put under another prefix; a backup of before has none. */
const dropPrefix = `do $$
  begin
    update shop.identity set stream_prefix = null;
  exception when undefined_column then null;
  end
$$`

/** Rows keep their numbers: those that PostgreSQL gives from now on come behind them. */
const goOnNumbering = `do $$
  declare numbered record;
  begin
    for numbered in
      select attrelid::regclass as name, attname as of from pg_attribute
      where attidentity <> '' and attrelid in
        (select oid from pg_class where relnamespace = 'shop'::regnamespace and relkind = 'r')
    loop
      execute format(
        'select setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 0) + 1, false) from %s',
        numbered.name, numbered.of, numbered.of, numbered.name
      );
    end loop;
  end
$$`

/** What holds the position of one event, and what holds how far it has got. */
const positionsOfEvents = ['parked_events', 'parking_decisions', 'webhook_deliveries']

/** What signed the log of before says nothing of this one: it stays with the backup. */
const proofOfBefore = ['audit_publications', 'audit_checkpoints']

async function movePositions(
  pool: Pool,
  events: Parameters<RestoreTarget['move']>[0],
): Promise<void> {
  await transaction(pool, async session => {
    await session.query(
      `create temporary table moved (before bigint primary key, now bigint not null)
        on commit drop`,
    )
    for await (const some of events) {
      await session.query('insert into moved select * from unnest($1::bigint[], $2::bigint[])', [
        some.map(each => String(each.before)),
        some.map(each => String(each.now)),
      ])
    }
    await session.query('analyze moved')
    await session.query(`update shop.checkpoints c set position = coalesce(
      (select m.now from moved m where m.before <= c.position order by m.before desc limit 1), 0)`)
    for (const table of positionsOfEvents) {
      // By way of numbers that nobody has: two rows of a key must not meet on the way.
      await session.query(
        `update shop.${table} t set position = -m.now from moved m where m.before = t.position`,
      )
      await session.query(`update shop.${table} set position = -position where position < 0`)
    }
    for (const table of proofOfBefore) await session.query(`delete from shop.${table}`)
  })
}
