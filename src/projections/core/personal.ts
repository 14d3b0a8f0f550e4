// Which columns of the read models hold text about people. Forgetting somebody, the certificate of
// it and the tests are made from this list: see tests/projections/personal.test.ts.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { erasedText } from '../../domain/kernel/types.ts'
import { Delivery } from '../../domain/order/order.ts'
import { stateOf } from '../../kit/transient.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A column with text about people. */
export interface PersonalColumn {
  table: string
  column: string
  type: 'text' | 'json' | 'jsonb'
  /** The column that says whom it is about; `actor` has their role before it. */
  person: 'customer_id' | 'actor'
  /** What the log says about the person that is kept here: paths of payloads by event type. */
  holds: Readonly<Record<string, readonly string[]>>
  /** What a rebuild finds there once the key is gone. */
  erased: string
}

const erasedDelivery = Object.fromEntries(
  Object.keys(Delivery.properties).map(field => [field, erasedText]),
)
const names = ['email', 'firstName', 'lastName', 'country']
const tracking = { OrderShipped: ['tracking'], TrackingChanged: ['tracking'] }

export const personalColumns: readonly PersonalColumn[] = [
  {
    table: 'customers',
    column: 'username',
    type: 'text',
    person: 'customer_id',
    holds: { CustomerRegistered: ['username'] },
    erased: erasedText,
  },
  {
    table: 'customers',
    column: 'profile',
    type: 'jsonb',
    person: 'customer_id',
    holds: {
      CustomerRegistered: names,
      ProfileChanged: [
        ...names,
        ...['phoneNumber', 'dateOfBirth', 'address', 'city', 'postalCode'],
      ],
    },
    erased: '{}',
  },
  {
    table: 'orders',
    column: 'delivery',
    type: 'json',
    person: 'customer_id',
    holds: {
      OrderSubmitted: ['delivery/shippingAddress', 'delivery/phoneNumber'],
      DeliveryDetailsChanged: ['delivery/shippingAddress', 'delivery/phoneNumber'],
    },
    erased: JSON.stringify(erasedDelivery),
  },
  {
    table: 'orders',
    column: 'tracking',
    type: 'text',
    person: 'customer_id',
    holds: tracking,
    erased: erasedText,
  },
  {
    table: 'notifications',
    column: 'tracking',
    type: 'text',
    person: 'customer_id',
    holds: tracking,
    erased: erasedText,
  },
  {
    table: 'stock_movements',
    column: 'note',
    type: 'text',
    person: 'actor',
    holds: { StockAdjusted: ['note'], StockCounted: ['note'] },
    erased: erasedText,
  },
]

/** Personal text that no read model keeps: it is read from the log alone. */
export const onlyInLog: Readonly<Record<string, readonly string[]>> = {
  CustomerErased: ['requestReference'],
  DeliveryDetailsChanged: ['reason'],
  PaymentFailed: ['reason'],
  LatePaymentRefused: ['reason'],
  OrderCancelled: ['reason'],
  RefundRequested: ['reason'],
  OrderRefunded: ['reason', 'reference'],
  RefundFailed: ['reason'],
  CreditNoteIssued: ['reason'],
}

/** Personal columns of one table in one schema. */
interface Place {
  /** Undefined for the schema that the session writes to. */
  schema: string | undefined
  table: string
  columns: readonly PersonalColumn[]
}

/** The personal columns of some tables, wherever the session writes to. */
export function personalIn(tables: readonly string[]): Place[] {
  return tables.flatMap(table => {
    const columns = personalColumns.filter(each => each.table === table)
    return columns.length === 0 ? [] : [{ schema: undefined, table, columns }]
  })
}

/** Every table of the database that has personal columns: served, kept or being filled. */
export async function personalPlaces(db: Db, schema?: string): Promise<Place[]> {
  const tables = [...new Set(personalColumns.map(each => each.table))]
  const { rows } = await sql<{ schema: string; table: string; columns: string[] }>`
    select n.nspname as schema, c.relname as table, array_agg(a.attname::text) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and c.relname = any(${tables}::text[])
      and n.nspname !~ '^pg_' and n.nspname = coalesce(${schema ?? null}::text, n.nspname)
    group by n.nspname, c.relname
    order by n.nspname, c.relname
  `.execute(db)
  return rows.flatMap(row => {
    const columns = personalColumns.filter(
      ({ table, column, person }) =>
        table === row.table && row.columns.includes(column) && row.columns.includes(person),
    )
    return columns.length === 0 ? [] : [{ schema: row.schema, table: row.table, columns }]
  })
}

/** The statements that put in the place of what is about people what a rebuild would find there. */
export function forgetting(
  db: Db,
  places: readonly Place[],
  people: readonly string[],
): CompiledQuery[] {
  return places.flatMap(({ schema, table, columns }) =>
    columns.map(column => {
      const name = sql.ref(column.column)
      const update = sql`
        update ${tableOf(schema, table)}
        set ${name} = ${erasedIn(column)}
        where ${isAbout(column, people)} and ${isReadable(column)}
      `
      return update.compile(db)
    }),
  )
}

function erasedIn({ type, erased }: PersonalColumn) {
  if (type === 'text') return sql`${erased}::text`
  return type === 'json' ? sql`${erased}::json` : sql`${erased}::jsonb`
}

function tableOf(schema: string | undefined, table: string) {
  return schema === undefined ? sql.id(table) : sql.id(schema, table)
}

function isAbout({ person }: PersonalColumn, people: readonly string[]) {
  return person === 'actor'
    ? sql`split_part(actor, ':', 2) = any(${people}::text[])`
    : sql`customer_id = any(${people}::uuid[])`
}

/** Whether something is there that is not what a rebuild would find. */
function isReadable({ column, type, erased }: PersonalColumn) {
  const name = sql.ref(column)
  return type === 'text' ? sql`${name} <> ${erased}` : sql`${name}::text not in (${erased}, 'null')`
}

/** Of a table that has been moved or dropped meanwhile, or of its schema. */
const missing: ReadonlySet<string | undefined> = new Set(['42P01', '3F000'])
const roundsMax = 10

/**
 * Forgets somebody in every table of the database. The read models do that by themselves when they
 * come to the event; this is for tables that nobody writes to any more, and for those whose runner
 * has parked the event or is not running.
 */
export async function forgetEverywhere(db: Db, person: string): Promise<void> {
  let moved = true
  for (let round = 1; moved && round <= roundsMax; round += 1) {
    moved = false
    for (const place of await personalPlaces(db)) {
      if (!(await tryForget(db, place, person))) moved = true
    }
  }
}

/** False when the table is not there any more: it may be elsewhere. */
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
  const places = await personalPlaces(db)
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
  const places = await personalPlaces(db)
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
