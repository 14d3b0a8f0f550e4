// Names the rows in which two copies of the tables of a projection differ, by their keys.
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../core/tables.ts'
import { keyOf, rowHash } from './shadow.ts'

type Db = Kysely<Tables>

interface TableAt {
  schema: string
  table: string
}

export interface RowDifferences {
  /** How many rows there are only in the serving table, only in the fresh one, and in both. */
  extra: number
  missing: number
  different: number
  /** The first of them in the order of their keys. */
  first: readonly { kind: 'extra' | 'missing' | 'different'; key: string }[]
}

/** A table with rows that differ. */
export interface TableDifferences extends RowDifferences {
  table: string
}

/** Of each table so many keys are named. */
export const keysMax = 20

/** How many rows of a table differ, in one line. */
export function amountOf({ different, missing, extra }: RowDifferences): string {
  return `${different} different, ${missing} missing, ${extra} extra`
}

/** Each key that is named, in a line of its own. */
export function linesOf({ table, first }: TableDifferences): string[] {
  return first.map(({ kind, key }) => `${table}: ${kind} row ${key}`)
}

const keptIn = (schema: string, table: string) => ({ schema, table: `kept_${table}` })

/**
 * Keeps keys and hashes of the rows of serving tables in a schema, as the transaction of `db` sees
 * them.
 */
export async function keepHashes(db: Db, tables: readonly string[], schema: string): Promise<void> {
  for (const table of tables) {
    const kept = keptIn(schema, table)
    await sql`drop table if exists ${sql.id(kept.schema, kept.table)}`.execute(db)
    await sql`
      create table ${sql.id(kept.schema, kept.table)}
        as ${await keyedHashes(db, { schema: 'readmodel', table })}
    `.execute(db)
  }
}

/** Compares what `keepHashes` has kept in a schema with the rows of fresh tables there. */
export async function differingTables(
  db: Db,
  tables: readonly string[],
  schema: string,
): Promise<TableDifferences[]> {
  const found: TableDifferences[] = []
  for (const table of tables) {
    const on = { kept: keptIn(schema, table), fresh: { schema, table }, max: keysMax }
    const rows = await differingRows(db, on)
    if (rows.first.length > 0) found.push({ table, ...rows })
  }
  return found
}

async function differingRows(
  db: Db,
  tables: { kept: TableAt; fresh: TableAt; max: number },
): Promise<RowDifferences> {
  const { kept, fresh, max } = tables
  const { rows } = await sql<{ kind: 'extra' | 'missing' | 'different'; key: string; n: bigint }>`
    with differing as (
      select coalesce(kept.key, fresh.key) as key,
        case when fresh.key is null then 'extra'
          when kept.key is null then 'missing'
          else 'different' end as kind
      from ${sql.id(kept.schema, kept.table)} kept
      full join (${await keyedHashes(db, fresh)}) fresh on fresh.key = kept.key
      where fresh.hash is distinct from kept.hash
    ), numbered as (
      select key, kind, count(*) over (partition by kind) as n,
        row_number() over (order by key) as place,
        row_number() over (partition by kind) as of_kind
      from differing
    )
    select key, kind, n from numbered
    where place <= ${max} or of_kind = 1
    order by place
  `.execute(db)
  const countOf = (kind: string) => Number(rows.find(each => each.kind === kind)?.n ?? 0)
  return {
    extra: countOf('extra'),
    missing: countOf('missing'),
    different: countOf('different'),
    first: rows.slice(0, max).map(({ kind, key }) => ({ kind, key })),
  }
}

async function keyedHashes(db: Db, { schema, table }: TableAt) {
  const columns = await keyOf(db, table)
  const parts = columns.flatMap(name => [sql`${name}::text`, sql.ref(name)])
  const key = sql`json_build_object(${sql.join(parts)})::text collate "C"`
  return sql`
    select ${key} as key, ${await rowHash(db, { schema, table })} as hash
    from ${sql.id(schema, table)}
  `
}
