// Binds password hashes from before hashes were bound to their accounts, when a shop of then is
// opened for the first time, and never again.
import type { HighWaterMarks } from '../../ports/audit.ts'
import { boundHash, isBareHash, openPassword } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import {
  type Pool,
  type Queryable,
  rows,
  type Statement,
  transaction,
} from '../postgres/database.ts'

const find: Statement = {
  name: 'accounts_find_bare',
  text: `select customer_id, password_hash
    from shop.accounts
    where password_hash not like '%~%' and customer_id > $1
    order by customer_id
    limit 1000`,
}
const bind: Statement = {
  name: 'accounts_bind',
  text: `update shop.accounts a
    set password_hash = b.bound
    from unnest($1::uuid[], $2::text[], $3::text[]) as b(customer_id, bare, bound)
    where a.customer_id = b.customer_id and a.password_hash = b.bare`,
}

interface Row {
  [column: string]: unknown
  customer_id: string
  password_hash: string
}

const findSome: Statement = {
  name: 'accounts_find_some_bare',
  text: `select 1 from shop.accounts where password_hash not like '%~%' limit 1`,
}
const findBound: Statement = {
  name: 'accounts_find_bound',
  text: `select customer_id, password_hash
    from shop.accounts
    where password_hash like '%~%' and customer_id > $1
    order by customer_id
    limit 1000`,
}
const findIdentity: Statement = {
  name: 'accounts_bind_identity',
  text: 'select 1 from shop.identity limit 1',
}

const noId = '00000000-0000-0000-0000-000000000000'

/**
 * Binds every hash of a shop that no release has opened that binds them: such a release leaves an
 * identity, hashes that are bound, and a high-water mark. Whoever can write to the database could
 * otherwise take the seal off a hash, put it into the row of somebody else, and wait for a start.
 */
export async function bindHashes(
  pool: Pool,
  secrets: Secrets,
  marks: Pick<HighWaterMarks, 'newest'>,
): Promise<void> {
  if ((await rows(pool, findSome)).length === 0) return
  if ((await rows(pool, findIdentity)).length > 0) return
  if (await hasBound(pool, secrets)) return
  if ((await marks.newest()) !== undefined) return
  // All or none: a start that is cut off leaves nothing that the next one takes for an answer.
  await transaction(pool, session => bindAll(session, secrets))
}

async function hasBound(pool: Pool, secrets: Secrets): Promise<boolean> {
  let last = noId
  for (;;) {
    const found = await rows<Row>(pool, findBound, [last])
    if (
      found.some(row => openPassword(secrets, row.customer_id, row.password_hash) !== undefined)
    ) {
      return true
    }
    const end = found.at(-1)
    if (end === undefined) return false
    last = end.customer_id
  }
}

async function bindAll(session: Queryable, secrets: Secrets): Promise<void> {
  let last = noId
  for (;;) {
    const found = await rows<Row>(session, find, [last])
    const bare = found.filter(row => isBareHash(row.password_hash))
    if (bare.length > 0) {
      await rows(session, bind, [
        bare.map(row => row.customer_id),
        bare.map(row => row.password_hash),
        bare.map(row => boundHash(secrets, row.customer_id, row.password_hash)),
      ])
    }
    const end = found.at(-1)
    if (end === undefined) return
    last = end.customer_id
  }
}
