// Rebuilds a projection from the beginning of the log beside the tables that go on serving.
import { type Kysely, sql } from 'kysely'
import { leaseSeconds } from './checkpoints.ts'
import type { Batch } from './engine.ts'
import type { Projection } from './projection.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export interface Rebuilding {
  /** Reads the log behind a position, up to what is its head at that moment. */
  read(after: bigint): AsyncIterable<Batch>
  onProgress(position: bigint): void
}

/** So close to the live tables that the last step holds up nobody. */
const nearEnough = 2_000n

/**
 * Fills shadow tables from the first event, catches up, and puts them in the place of the live ones
 * in one transaction: readers see the old rows or the new ones, never half of them. The runner of
 * the projection loses its lease and goes on from where the new tables are. Throws when an event
 * cannot be applied: the old tables stay.
 */
export async function rebuild(db: Db, projection: Projection, on: Rebuilding): Promise<bigint> {
  return db.connection().execute(async session => {
    // Held by the session, so it ends with the process that rebuilds, however that ends.
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(hashtext(${`rebuild ${projection.name}`})) as taken
    `.execute(session)
    if (rows[0]?.taken !== true) throw new Error('it is being rebuilt already')
    try {
      return await rebuildAlone(db, projection, on)
    } finally {
      await sql`
        select pg_advisory_unlock(hashtext(${`rebuild ${projection.name}`}))
      `.execute(session)
    }
  })
}

async function rebuildAlone(db: Db, projection: Projection, on: Rebuilding): Promise<bigint> {
  const shadow = `rebuild_${projection.name.toLowerCase()}`
  await createShadow(db, projection, shadow)
  try {
    let position = 0n
    for (;;) {
      position = await fill(db, projection, { shadow, after: position, on })
      const live = await livePosition(db, projection.name)
      if (live - position <= nearEnough) break
    }
    return await swap(db, projection, { shadow, after: position, on })
  } finally {
    await dropShadow(db, shadow)
  }
}

/** Empty tables like those of a projection, in a schema of their own. */
export async function createShadow(db: Db, projection: Projection, shadow: string): Promise<void> {
  await dropShadow(db, shadow)
  await sql`create schema ${sql.id(shadow)}`.execute(db)
  for (const table of projection.tables) {
    await sql`
      create table ${sql.id(shadow, table)} (like ${sql.id('readmodel', table)} including all)
    `.execute(db)
  }
}

/** Drops shadow tables, whether they are there or not. */
export async function dropShadow(db: Db, shadow: string): Promise<void> {
  await sql`drop schema if exists ${sql.id(shadow)} cascade`.execute(db)
}

/** How many rows a table of this schema has, and a digest of them in whatever order they are. */
export async function summarizeTable(db: Db, schema: string, table: string) {
  const { rows } = await sql<{ rows: bigint; digest: string }>`
    select count(*) as rows,
      coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as digest
    from ${sql.id(schema, table)} t
  `.execute(db)
  return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '' }
}

interface Filling {
  shadow: string
  after: bigint
  on: Rebuilding
}

async function fill(db: Db, projection: Projection, { shadow, after, on }: Filling) {
  let position = after
  for await (const batch of on.read(after)) {
    await db.transaction().execute(trx => applyToShadow(trx, projection, shadow, batch))
    position = batch.position
    on.onProgress(position)
  }
  return position
}

/** Applies a batch to shadow tables, inside a transaction. Throws when there is poison in it. */
export async function applyToShadow(
  db: Db,
  projection: Projection,
  shadow: string,
  batch: Batch,
): Promise<void> {
  const events = batch.items.map(item => {
    if ('event' in item) return item.event
    throw new Error(`${item.poison.type} at ${item.poison.position}: ${item.poison.error}`)
  })
  if (events.length === 0) return
  // A shadow that a crash loses is filled again: its commits need not wait for the disk.
  await sql`set local synchronous_commit = off`.execute(db)
  await sql`select set_config('search_path', ${`${shadow},shop,public`}, true)`.execute(db)
  await projection.apply(events, db)
}

async function livePosition(db: Db, name: string): Promise<bigint> {
  const { rows } = await sql<{ position: bigint }>`
    select position from shop.checkpoints where name = ${name}
  `.execute(db)
  return rows[0]?.position ?? 0n
}

async function swap(db: Db, projection: Projection, { shadow, after, on }: Filling) {
  return db.transaction().execute(async trx => {
    // From here on the runner waits; what it has done and the shadow has not is little.
    await sql`
      select position from shop.checkpoints where name = ${projection.name} for update
    `.execute(trx)
    let position = after
    for await (const batch of on.read(after)) {
      await applyToShadow(trx, projection, shadow, batch)
      position = batch.position
    }
    for (const table of projection.tables) {
      await sql`drop table ${sql.id('readmodel', table)}`.execute(trx)
      await sql`alter table ${sql.id(shadow, table)} set schema readmodel`.execute(trx)
    }
    await sql`delete from shop.parked_events where name = ${projection.name}`.execute(trx)
    await sql`
      update shop.checkpoints
      set position = ${position},
        version = ${projection.version},
        epoch = epoch + 1,
        leased_until = case
          when runner is null then null
          else now() + make_interval(secs => ${leaseSeconds})
        end,
        updated_at = now()
      where name = ${projection.name}
    `.execute(trx)
    on.onProgress(position)
    return position
  })
}
