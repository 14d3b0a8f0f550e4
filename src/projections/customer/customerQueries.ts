// Questions to the customers: who they are, for admins.
import { type Kysely, type Selectable, type SelectQueryBuilder, sql } from 'kysely'
import type { Role } from '../../domain/kernel/types.ts'
import { type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>
type CustomerRecord = Selectable<Tables['customers']>

export interface UserFilter {
  /** Part of a name to sign in with, of an address, or of a person's name. */
  search: string | undefined
  role: Role | undefined
  disabled: boolean | undefined
}

const newestFirst = {
  key: sql`registered_at`,
  kind: 'time',
  id: sql`customer_id`,
  descending: true,
} as const

/** A part of the users, the newest first. */
export async function listUsers(db: Db, filter: UserFilter, part: PageRequest) {
  const query = narrowed(db.selectFrom('customers').selectAll(), filter)
  const { rows, next, total } = await readPage(db, query, newestFirst, part)
  return { data: rows.map(userOf), next, total }
}

function narrowed(
  query: SelectQueryBuilder<Tables, 'customers', CustomerRecord>,
  { search, role, disabled }: UserFilter,
) {
  let narrow = query
  if (role !== undefined) narrow = narrow.where(sql<boolean>`${role} = any(roles)`)
  if (disabled !== undefined) narrow = narrow.where('disabled', '=', disabled)
  if (search === undefined) return narrow
  const pattern = `%${search.replace(/[\\%_]/g, character => `\\${character}`)}%`
  return narrow.where(sql<boolean>`(
    username ilike ${pattern}
    or profile->>'email' ilike ${pattern}
    or concat_ws(' ', profile->>'firstName', profile->>'lastName') ilike ${pattern}
  )`)
}

/** One user, undefined where there is none. */
export async function findUser(db: Db, customerId: string) {
  const row = await db
    .selectFrom('customers')
    .selectAll()
    .where('customer_id', '=', customerId)
    .executeTakeFirst()
  return row && userOf(row)
}

function userOf(row: CustomerRecord) {
  const { email = null, firstName = null, lastName = null } = row.profile
  return {
    id: row.customer_id,
    username: row.username,
    email,
    firstName,
    lastName,
    roles: row.roles,
    disabled: row.disabled,
    erased: row.erased,
    revision: Number(row.revision),
    registeredAt: row.registered_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
