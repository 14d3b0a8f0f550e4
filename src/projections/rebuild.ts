// Rebuilds projections from the beginning of the log beside the tables that go on serving.
import { type Kysely, sql } from 'kysely'
import { createSlots } from '../kit/slots.ts'
import { ensureCheckpoints, positionOf } from './checkpoints.ts'
import { type Batch, parkedStreams } from './engine.ts'
import { fill, type Member, writersMax } from './filling.ts'
import type { Projection } from './projection.ts'
import { begin, fail, finish, type Resumed, savePosition } from './rebuildStates.ts'
import {
  analyze,
  createShadow,
  digestOf,
  hasTables,
  missingIndexes,
  shadowOf,
  sizeOf,
} from './shadow.ts'
import { swap } from './swap.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export interface Rebuilding {
  head(): Promise<bigint>
  /** Reads what these projections read, behind a position and up to another. */
  read(
    projections: readonly Projection[],
    range: { after: bigint; upTo: bigint },
  ): AsyncIterable<Batch>
  onProgress(name: string, position: bigint): void
  /** Ends it between two batches; it can be gone on with. */
  signal?: AbortSignal
}

/** Somebody else is at it. */
export class BeingRebuilt extends Error {
  constructor(name: string) {
    super(`${name} is being rebuilt already`)
    this.name = 'BeingRebuilt'
  }
}

export interface Rebuilt {
  name: string
  position: bigint
  /** Whether the new tables were equal to the old ones; undefined for another version of them. */
  matches: boolean | undefined
}

/** So close to the live tables that the last step holds up nobody. */
const nearEnough = 2_000n
/** Fewer than write: each has two sessions in its last step, of a pool that others wait for. */
const concludersMax = 2

/**
 * Fills shadow tables from the first event, catches up, compares them with the live ones where both
 * are of one version, and puts them in their place in one transaction: readers see the old rows or
 * the new ones, never half of them. Several projections share one reading of the log. A rebuild
 * that was interrupted goes on where it was. The runner of a projection loses its lease and goes on
 * from where the new tables are. Throws BeingRebuilt, or what the database throws: then the old
 * tables stay.
 */
export async function rebuild(
  db: Db,
  projections: readonly Projection[],
  on: Rebuilding,
): Promise<Rebuilt[]> {
  return db.connection().execute(async session => {
    const names = projections.map(({ name }) => name)
    await lock(session, names)
    try {
      return await rebuildAlone(db, projections, on)
    } catch (error) {
      const isStopped = on.signal?.aborted === true
      if (!isStopped) await fail(db, names, String(error)).catch(() => undefined)
      throw error
    } finally {
      await sql`select pg_advisory_unlock_all()`.execute(session)
    }
  })
}

/** Held by the session, so the locks end with the process that rebuilds, however that ends. */
async function lock(session: Db, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(hashtext(${`rebuild ${name}`})) as taken
    `.execute(session)
    if (rows[0]?.taken !== true) {
      await sql`select pg_advisory_unlock_all()`.execute(session)
      throw new BeingRebuilt(name)
    }
  }
}

async function rebuildAlone(
  db: Db,
  projections: readonly Projection[],
  on: Rebuilding,
): Promise<Rebuilt[]> {
  const target = await on.head()
  // Where no worker has ever run: it must not begin at the first event when these tables are full.
  await ensureCheckpoints(db, projections)
  const members = await Promise.all(
    projections.map(async each => enlist(db, each, await begin(db, each, target))),
  )
  await fill(db, members, on, target)
  // What takes longest begins first, so that it is not what all wait for at the end.
  const sized = await largestFirst(db, members)
  await index(db, sized)
  await together(sized, writersMax, ({ projection, shadow }) =>
    patiently(db, trx => analyze(trx, projection, shadow)),
  )
  return together(sized, concludersMax, member => conclude(db, member, on))
}

async function largestFirst(db: Db, members: readonly Member[]): Promise<Member[]> {
  const sizes = await Promise.all(
    members.map(({ projection, shadow }) => sizeOf(db, projection, shadow)),
  )
  const all = members.map((member, at) => ({ member, size: sizes[at] ?? 0 }))
  return all.toSorted((a, b) => b.size - a.size).map(({ member }) => member)
}

/** So many at a time. All have to be done before anyone hears of the trouble of one. */
async function together<T, R>(
  all: readonly T[],
  most: number,
  work: (each: T) => Promise<R>,
): Promise<R[]> {
  const slots = createSlots(most)
  const working = all.map(each => slots.take(() => work(each)))
  await Promise.allSettled(working)
  return Promise.all(working)
}

/** Goes on with what an interrupted rebuild has left, or begins. */
async function enlist(db: Db, projection: Projection, before: Resumed): Promise<Member> {
  const { name } = projection
  const shadow = shadowOf(name)
  const parkedAs = `${name}~rebuild`
  const isLeft = before.position > 0n && (await hasTables(db, projection, shadow))
  if (!isLeft) {
    await createShadow(db, projection, shadow)
    await sql`delete from shop.parked_events where name = ${parkedAs}`.execute(db)
    await savePosition(db, name, 0n)
  }
  const streams = isLeft ? await parkedStreams(db, parkedAs) : new Set<string>()
  const parking = { name: parkedAs, streams, onParked: () => undefined }
  return { projection, shadow, position: isLeft ? before.position : 0n, parking }
}

/** The indexes of all tables: those of one table, too, are made by several sessions. */
async function index(db: Db, members: readonly Member[]): Promise<void> {
  const missing = await Promise.all(
    members.map(({ projection, shadow }) => missingIndexes(db, projection, shadow)),
  )
  await together(missing.flat(), writersMax, statement =>
    patiently(db, trx => sql.raw(statement).execute(trx)),
  )
}

/** Runs `work` in a transaction whose statements may take as long as whole tables do. */
function patiently<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.transaction().execute(async trx => {
    await sql`set local statement_timeout = 0`.execute(trx)
    return work(trx)
  })
}

async function conclude(db: Db, member: Member, on: Rebuilding): Promise<Rebuilt> {
  const { projection } = member
  for (;;) {
    const live = await positionOf(db, projection.name)
    if (live - member.position <= nearEnough) break
    await fill(db, [member], on, live)
  }
  const matches = await compare(db, member, on)
  const position = await swap(db, member, on)
  await finish(db, projection.name, matches)
  return { name: projection.name, position, matches }
}

/**
 * Whether the new tables are equal to the live ones at one position. The live ones are read in a
 * snapshot, so that they go on meanwhile.
 */
async function compare(db: Db, member: Member, on: Rebuilding): Promise<boolean | undefined> {
  const { projection, shadow } = member
  const live = await snapshotOf(db, member)
  if (live === undefined) return undefined
  await fill(db, [member], on, live.position)
  const digest = await patiently(db, trx => digestOf(trx, projection, shadow))
  return live.digest === digest
}

/** The digest of the live tables, and where they are; undefined where it would say nothing. */
async function snapshotOf(db: Db, { projection, position: filled }: Member) {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      await sql`set local statement_timeout = 0`.execute(trx)
      const { rows } = await sql<{ position: bigint; version: number; parked: bigint }>`
        select position, version,
          (select count(*) from shop.parked_events p where p.name = c.name) as parked
        from shop.checkpoints c
        where name = ${projection.name}
      `.execute(trx)
      const [{ position, version, parked } = { position: -1n, version: 0, parked: 0n }] = rows
      const isAlike = version === projection.version && position >= filled && parked === 0n
      return isAlike
        ? { position, digest: await digestOf(trx, projection, 'readmodel') }
        : undefined
    })
}
