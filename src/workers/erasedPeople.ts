// Keeps the database and the list of erased people in step, in both directions: a restored backup
// must not bring anybody back.
import { type Kysely, sql } from 'kysely'
import type { AccountServices } from '../commands/accountPorts.ts'
import { execute, systemEnvelope } from '../commands/command.ts'
import { eraseCustomer } from '../commands/customer.ts'
import type { ListedErasure } from '../commands/erasurePorts.ts'
import type { Shop } from '../commands/shop.ts'
import { isRejection } from '../domain/rejection.ts'
import { forgetEverywhere, readablePeople } from '../projections/personal.ts'
import type { Tables } from '../projections/tables.ts'
import type { Log } from './log.ts'

export interface ErasedPeopleParts {
  db: Kysely<Tables>
  shop: Shop
  accounts: Pick<AccountServices, 'accounts' | 'erasures'>
  log: Log
}

const batchMax = 5_000

/**
 * Erases once more whoever is on the list and is there again: the database has been restored from
 * a backup of before. Resolves with how many there were, before anybody is served. Throws
 * Unavailable.
 */
export async function eraseAgain(parts: ErasedPeopleParts): Promise<number> {
  const { db, accounts, log } = parts
  const listed = await accounts.erasures.all()
  const damaged = await accounts.erasures.damaged()
  if (damaged > 0) {
    log.warn({ event: 'erasures-damaged', lines: damaged }, 'the list of erased people is damaged')
  }
  let count = 0
  for (let from = 0; from < listed.length; from += batchMax) {
    const batch = listed.slice(from, from + batchMax)
    const back = await thereAgain(
      db,
      batch.map(({ customerId }) => customerId),
    )
    for (const erasure of batch) if (back.has(erasure.customerId)) await eraseOne(parts, erasure)
    count += back.size
  }
  if (count > 0) {
    const fields = { event: 'erased-again', count, listed: listed.length }
    log.warn(fields, 'people who had been erased were there again, and are erased again')
  }
  return count
}

/** Those of them who have a key or an account, or are readable in any table. */
async function thereAgain(db: Kysely<Tables>, people: string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    select subject as id from shop.person_keys
    where subject = any(${people}::uuid[]) and sealed_key is not null
    union
    select customer_id from shop.accounts where customer_id = any(${people}::uuid[])
  `.execute(db)
  return new Set([...rows.map(({ id }) => id), ...(await readablePeople(db, people))])
}

async function eraseOne(
  { db, shop, accounts }: ErasedPeopleParts,
  { customerId, at }: ListedErasure,
): Promise<void> {
  const { state } = await shop.customers.load(customerId)
  if (state.status === 'registered') {
    const requestReference = `restored backup: erased before, on ${at.toISOString()}`
    const envelope = systemEnvelope('erasures', shop.clock.now())
    const erased = await execute(shop, eraseCustomer, { customerId, requestReference }, envelope)
    if (isRejection(erased)) throw new Error(`${customerId} is not erased again: ${erased.detail}`)
  }
  await accounts.accounts.forget(customerId)
  await forgetEverywhere(db, customerId)
}

/** Everything that was erased since then is on the list once this resolves. Throws Unavailable. */
export async function listErased(
  { db, accounts }: Pick<ErasedPeopleParts, 'db' | 'accounts'>,
  since: Date,
): Promise<void> {
  const { rows } = await sql<{ customerId: string; at: Date }>`
    select subject as "customerId", erased_at as at
    from shop.person_keys
    where erased_at >= ${since}
    order by erased_at
  `.execute(db)
  await accounts.erasures.add(rows)
}
