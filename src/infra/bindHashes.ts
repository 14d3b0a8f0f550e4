// Binds password hashes from before hashes were bound to their accounts, when the shop opens.
import { type Pool, rows, type Statement } from './database.ts'
import { boundHash, isBareHash } from './rowSeals.ts'
import type { Secrets } from './secrets.ts'

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

/** Binds every hash that is not; a shop that has been opened before has none. */
export async function bindHashes(pool: Pool, secrets: Secrets): Promise<void> {
  let last = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const found = await rows<Row>(pool, find, [last])
    const bare = found.filter(row => isBareHash(row.password_hash))
    if (bare.length > 0) {
      await rows(pool, bind, [
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
