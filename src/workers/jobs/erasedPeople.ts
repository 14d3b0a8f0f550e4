// Keeps the database and the list of erased people in step, in both directions: a restored backup
// must not bring anybody back.
import { type Kysely, sql } from 'kysely'
import type { App } from '../../commands/core/app.ts'
import { execute } from '../../commands/core/command.ts'
import { systemEnvelope } from '../../commands/core/envelope.ts'
import { eraseCustomer } from '../../commands/customer/customer.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import type { AccountServices } from '../../ports/accounts.ts'
import type { ListedErasure } from '../../ports/erasure.ts'
import type { Log } from '../../ports/log.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { forgetEverywhere, readablePeople } from '../../projections/forgetting.ts'

export interface ErasureDeps {
  db: Kysely<Tables>
  app: App
  accounts: Pick<AccountServices, 'accounts' | 'erasures'>
  log: Log
}

const batchMax = 5_000
/** Streams that are read at once. */
const atOnce = 20

/**
 * Erases once more whoever is on the list and is there again: the database has been restored from
 * a backup of before. Resolves with how many there were, before anybody is served. Throws
 * Unavailable.
 */
export async function eraseAgain(deps: ErasureDeps): Promise<number> {
  const { db, accounts, log } = deps
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
    for (const erasure of batch) if (back.has(erasure.customerId)) await eraseOne(deps, erasure)
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
  { db, app, accounts }: ErasureDeps,
  { customerId, at }: ListedErasure,
): Promise<void> {
  const { state } = await app.customers.load(customerId)
  if (state.status === 'registered') {
    const requestReference = `restored backup: erased before, on ${at.toISOString()}`
    const envelope = systemEnvelope('erasures', app.clock.now())
    const erased = await execute(app, eraseCustomer, { customerId, requestReference }, envelope)
    if (isRejection(erased)) throw new Error(`${customerId} is not erased again: ${erased.detail}`)
  }
  await accounts.accounts.forget(customerId)
  await forgetEverywhere(db, customerId)
}

/**
 * Everybody who was erased since then is on the list once this resolves. The log decides who was:
 * who is on the list is erased again at a start, so that a row that somebody has written must not
 * put anybody there. Throws Unavailable.
 */
export async function listErased(
  { db, app, accounts }: Pick<ErasureDeps, 'db' | 'app' | 'accounts'>,
  since: Date,
): Promise<void> {
  const { rows } = await sql<ListedErasure>`
    select subject as "customerId", erased_at as at
    from shop.person_keys
    where erased_at >= ${since}
    order by erased_at
  `.execute(db)
  const listed = new Set((await accounts.erasures.all()).map(({ customerId }) => customerId))
  const unlisted = rows.filter(({ customerId }) => !listed.has(customerId))
  for (let from = 0; from < unlisted.length; from += atOnce) {
    const some = unlisted.slice(from, from + atOnce)
    const isErased = await Promise.all(some.map(({ customerId }) => wasErased(app, customerId)))
    await accounts.erasures.add(some.filter((_, index) => isErased[index]))
  }
}

/**
 * Destroys keys and accounts that are there again although the log says that their people were
 * erased: somebody has put rows of an old copy back. Resolves with how many. Throws Unavailable.
 */
export async function eraseKeysAgain(deps: Omit<ErasureDeps, 'log'>): Promise<number> {
  const { db, app, accounts } = deps
  const listed = (await accounts.erasures.all()).map(({ customerId }) => customerId)
  let count = 0
  for (let from = 0; from === 0 || from < listed.length; from += batchMax) {
    // The list and the read model only say where to look.
    const { rows } = await sql<{ id: string }>`
      with people as (
        select unnest(${listed.slice(from, from + batchMax)}::uuid[]) as id
        union
        select customer_id from readmodel.customers where erased and ${from === 0}
      )
      select id from people
      where exists (
          select from shop.person_keys k where k.subject = id and k.sealed_key is not null
        )
        or exists (select from shop.accounts a where a.customer_id = id)
      limit ${batchMax}
    `.execute(db)
    for (const { id } of rows) {
      if (!(await wasErased(app, id))) continue
      await accounts.accounts.forget(id)
      count += 1
    }
  }
  return count
}

async function wasErased(app: App, customerId: string): Promise<boolean> {
  return (await app.customers.load(customerId)).state.status === 'erased'
}
