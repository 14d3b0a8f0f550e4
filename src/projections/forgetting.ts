// Erases personal text in every read model, and finds what is left of it.
import { type Kysely, sql } from 'kysely'
import { stateOf } from '../kit/transient.ts'
import {
  findPlaces,
  forgetting,
  isAbout,
  isReadable,
  type Place,
  tableOf,
} from './core/personal.ts'
import type { Tables } from './core/tables.ts'
import { projections } from './index.ts'

type Db = Kysely<Tables>

/** Every column with personal text. */
export const personalColumns = projections.flatMap(({ personal }) => personal)

/** Of a table that has been moved or dropped meanwhile, or of its schema. */
const missing: ReadonlySet<string | undefined> = new Set(['42P01', '3F000'])
const roundsMax = 10

/**
 * Erases a person in every table of the database. Projections do so when they apply CustomerErased;
 * this is for previous tables, which no projection writes to, and for projections that have parked
 * the event or do not run.
 */
export async function forgetEverywhere(db: Db, person: string): Promise<void> {
  let moved = true
  for (let round = 1; moved && round <= roundsMax; round += 1) {
    moved = false
    for (const place of await findPlaces(db, personalColumns)) {
      if (!(await tryForget(db, place, person))) moved = true
    }
  }
}

/** False if the table is gone: it may have been moved to another schema. */
async function tryForget(db: Db, place: Place, person: string): Promise<boolean> {
  const statements = forgetting(db, [place], [person])
  const { isTransaction } = db
  if (isTransaction) await sql`savepoint forgetting`.execute(db)
  try {
    for (const statement of statements) await db.executeQuery(statement)
    return true
  } catch (error) {
    if (!missing.has(stateOf(error))) throw error
    if (isTransaction) await sql`rollback to savepoint forgetting`.execute(db)
    return false
  }
}

/** Which of some people something can be read about, in whatever schema. */
export async function readablePeople(db: Db, people: readonly string[]): Promise<string[]> {
  const places = await findPlaces(db, personalColumns)
  const found = places.flatMap(({ schema, table, columns }) =>
    columns.map(column => {
      const person =
        column.person === 'actor' ? sql`split_part(actor, ':', 2)` : sql`customer_id::text`
      return sql`
        select ${person} as id
        from ${tableOf(schema, table)}
        where ${isAbout(column, people)} and ${isReadable(column)}
      `
    }),
  )
  if (found.length === 0) return []
  const { rows } = await sql<{ id: string }>`${sql.join(found, sql` union `)}`.execute(db)
  return rows.map(({ id }) => id)
}

export interface ReadableCount {
  table: string
  rows: number
}

/** How many rows of which tables, in whatever schema, still say something about somebody. */
export async function countReadable(db: Db, person: string): Promise<ReadableCount[]> {
  const places = await findPlaces(db, personalColumns)
  const counts = places.map(({ schema, table, columns }) => {
    const isLeft = columns.map(each => sql`(${isAbout(each, [person])} and ${isReadable(each)})`)
    return sql`
      select ${table}::text as "table", count(*)::integer as rows
      from ${tableOf(schema, table)}
      where ${sql.join(isLeft, sql` or `)}
    `
  })
  if (counts.length === 0) return []
  const { rows } = await sql<ReadableCount>`
    select "table", sum(rows)::integer as rows
    from (${sql.join(counts, sql` union all `)}) counted
    group by "table"
    order by "table"
  `.execute(db)
  return rows
}
