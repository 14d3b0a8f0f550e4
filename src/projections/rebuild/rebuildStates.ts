// How far rebuilds are, so that anyone can watch them and whoever comes next can go on.

import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { type Position, startOfLog } from '../../kit/position.ts'
import { storableText } from '../../kit/storableText.ts'
import type { Tables } from '../core/tables.ts'
import type { BrokenStreams } from './context.ts'
import type { TableDifferences } from './rowDifferences.ts'

type Db = Kysely<Tables>

export interface RebuildState {
  name: string
  version: number
  state: 'requested' | 'running' | 'done' | 'failed'
  position: Position
  target: Position
  matches: boolean | null
  /** Where it is false: which rows of which tables. */
  differences: readonly TableDifferences[] | null
  /** Streams of which events are missing, where it has met any. */
  brokenStreams: BrokenStreams | null
  error: string | null
  startedAt: Date
  updatedAt: Date
}

export interface Resumed {
  /** How far the shadow tables of an interrupted rebuild are filled. */
  position: Position
  /** Whoever begins after this one has a higher one, and this one may write nothing any more. */
  epoch: bigint
  /** Its tables are to serve even if events of streams that it reads are missing. */
  acceptsBroken: boolean
}

interface Named {
  name: string
  version: number
}

/** How a rebuild begins: where the log ends, and whether broken streams are accepted. */
export interface Beginning {
  target: Position
  acceptsBroken: boolean
}

/**
 * Marks a projection as being rebuilt, up to `target` for now. What whoever asked for it has
 * accepted stays accepted until it is done.
 */
export async function begin(
  db: Db,
  { name, version }: Named,
  { target, acceptsBroken }: Beginning,
): Promise<Resumed> {
  const { rows } = await sql<Resumed>`
    insert into shop.rebuilds as r (name, version, state, target, accepts_broken)
    values (${name}, ${version}, 'running', ${target}, ${acceptsBroken})
    on conflict (name) do update
    set state = 'running',
      epoch = r.epoch + 1,
      accepts_broken = excluded.accepts_broken
        or (r.accepts_broken and r.state in ('requested', 'running')),
      broken_streams = null,
      version = excluded.version,
      target = excluded.target,
      matches = null,
      differences = null,
      error = null,
      position = case
        when r.version = excluded.version and r.state in ('running', 'failed') then r.position
        else 0
      end,
      started_at = case when r.state = 'running' then r.started_at else now() end,
      updated_at = now()
    returning position, epoch, accepts_broken as "acceptsBroken"
  `.execute(db)
  return rows[0] ?? { position: startOfLog, epoch: 0n, acceptsBroken }
}

/** Asks the workers for a rebuild; one that is running is left alone. */
export async function request(
  db: Db,
  { name, version }: Named,
  { acceptsBroken = false }: Partial<Pick<Beginning, 'acceptsBroken'>> = {},
): Promise<void> {
  await sql`
    insert into shop.rebuilds (name, version, state, accepts_broken)
    values (${name}, ${version}, 'requested', ${acceptsBroken})
    on conflict (name) do update
    set state = 'requested', version = ${version}, position = 0, target = 0, matches = null,
      differences = null, broken_streams = null, accepts_broken = ${acceptsBroken},
      error = null, started_at = now(), updated_at = now()
    where rebuilds.state <> 'running'
  `.execute(db)
}

/** Rebuilds that somebody waits for: requested, or begun by a process that is gone. */
export async function waitingRebuilds(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select name from shop.rebuilds where state in ('requested', 'running') order by started_at
  `.execute(db)
  return rows.map(({ name }) => name)
}

/** One beginning of a rebuild. */
export interface RebuildEpoch {
  name: string
  epoch: bigint
}

/** Writes down how far shadow tables are filled, in the transaction that fills them. */
export async function savePosition(
  db: Db,
  rebuild: RebuildEpoch,
  position: Position,
): Promise<void> {
  await db.executeQuery(savingPosition(db, rebuild, position))
}

/**
 * The statement that does it. It fails where somebody else has begun since: what was written in
 * front of it is then not written. `isLeaseLost` tells that.
 */
export function savingPosition(
  db: Db,
  { name, epoch }: RebuildEpoch,
  position: Position,
): CompiledQuery {
  return sql`
    with moved as (
      update shop.rebuilds
      set position = ${position}, updated_at = now()
      where name = ${name} and epoch = ${epoch}
      returning name
    )
    select shop.assert_moved(1 - (select count(*) from moved))
  `.compile(db)
}

/** Keeps everybody else from beginning until the transaction ends; fails where somebody has. */
export async function lockEpoch(db: Db, { name, epoch }: RebuildEpoch): Promise<void> {
  await sql`
    with held as (
      select name from shop.rebuilds where name = ${name} and epoch = ${epoch} for update
    )
    select shop.assert_moved(1 - (select count(*) from held))
  `.execute(db)
}

/** What a rebuild has found. */
export interface Outcome {
  matches: boolean | undefined
  differences: readonly TableDifferences[]
  broken: BrokenStreams
}

/** The new tables serve. */
export async function finish(db: Db, rebuild: RebuildEpoch, outcome: Outcome): Promise<void> {
  const { matches = null, differences, broken } = outcome
  const told = matches === false ? storableText(JSON.stringify(differences)) : null
  await sql`
    update shop.rebuilds
    set state = 'done', matches = ${matches}, differences = ${told}::json,
      broken_streams = ${jsonOf(broken)}::json, updated_at = now()
    where name = ${rebuild.name} and epoch = ${rebuild.epoch}
  `.execute(db)
}

/** The old tables go on serving because of streams of which events are missing. */
export async function refuse(
  db: Db,
  rebuild: RebuildEpoch,
  { error, broken }: { error: string; broken: BrokenStreams },
): Promise<void> {
  await sql`
    update shop.rebuilds
    set state = 'failed', error = ${storableText(error.slice(0, 2_000))}, position = 0,
      broken_streams = ${jsonOf(broken)}::json, updated_at = now()
    where name = ${rebuild.name} and epoch = ${rebuild.epoch}
  `.execute(db)
}

function jsonOf(broken: BrokenStreams): string | null {
  return broken.count === 0 ? null : storableText(JSON.stringify(broken))
}

/** The old tables go on serving. */
export async function fail(db: Db, names: readonly string[], error: string): Promise<void> {
  await sql`
    update shop.rebuilds
    set state = 'failed', error = ${storableText(error.slice(0, 2_000))}, updated_at = now()
    where name = any(${names}::text[]) and state = 'running'
  `.execute(db)
}

/** The last rebuild of each projection, or of one. */
export async function rebuildStates(db: Db, name?: string): Promise<RebuildState[]> {
  const { rows } = await sql<RebuildState>`
    select name, version, state, position, target, matches, differences, error,
      broken_streams as "brokenStreams",
      started_at as "startedAt", updated_at as "updatedAt"
    from shop.rebuilds
    where ${name ?? null}::text is null or name = ${name ?? null}
    order by name
  `.execute(db)
  return rows
}

/** Which tables the last rebuild of a projection has replaced. */
export async function previousTables(
  db: Db,
  name: string,
): Promise<{ version: number; position: Position } | undefined> {
  const { rows } = await sql<{ version: number; position: Position }>`
    select version, position from shop.previous_tables where name = ${name}
  `.execute(db)
  return rows[0]
}

/** Writes down what the tables were that are kept. */
export async function keepPrevious(
  db: Db,
  name: string,
  { version, position }: { version: number; position: Position },
): Promise<void> {
  await sql`
    insert into shop.previous_tables (name, version, position)
    values (${name}, ${version}, ${position})
    on conflict (name) do update
    set version = excluded.version, position = excluded.position, kept_at = now()
  `.execute(db)
}
