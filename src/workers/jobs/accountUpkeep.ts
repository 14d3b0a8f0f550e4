// Keeps accounts consistent with the log, and deletes expired rows.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { settleAddress } from '../../commands/account/emailAddresses.ts'
import type { App } from '../../commands/core/app.ts'
import { withDeadline } from '../../kit/deadline.ts'
import { codeOf } from '../../kit/errorCode.ts'
import type { AccountServices } from '../../ports/accounts.ts'
import type { Log } from '../../ports/log.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { defineReaction, erasedIn } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { forgetEverywhere } from '../../projections/forgetting.ts'
import { eraseKeysAgain, listErased } from './erasedPeople.ts'
import { onceAtATime } from './jobQueue.ts'

/**
 * A disabled account loses its sessions; an erased person is forgotten, even if the process that
 * recorded the erasure died before it could.
 */
export const accountUpkeep = defineReaction({
  name: 'accountUpkeep',
  on: ['CustomerDisabled', 'CustomerEnabled', 'CustomerErased'],
  async plan(events, db) {
    const erased = erasedIn(events)
    const writes = lock(db, events)
    if (erased.length === 0) return { writes }
    const work = async (trx: Kysely<Tables>) => {
      for (const customerId of erased) {
        await sql`select shop.forget_person(${customerId})`.execute(trx)
        await forgetEverywhere(trx, customerId)
      }
    }
    return { writes, work }
  },
})

function lock(db: Kysely<Tables>, events: readonly ReadEvent[]): CompiledQuery[] {
  const latest = new Map<string, boolean>()
  const locked = new Set<string>()
  for (const { type, data } of events) {
    if (type !== 'CustomerDisabled' && type !== 'CustomerEnabled') continue
    latest.set(data.customerId, type === 'CustomerDisabled')
    if (type === 'CustomerDisabled') locked.add(data.customerId)
  }
  if (latest.size === 0) return []
  const disabling = sql`
    update shop.accounts a
    set disabled = l.disabled
    from unnest(${[...latest.keys()]}::uuid[], ${[...latest.values()]}::boolean[])
      as l(customer_id, disabled)
    where a.customer_id = l.customer_id
  `
  const revoking = sql`
    update shop.sessions
    set revoked_at = now()
    where customer_id = any(${[...locked]}::uuid[]) and revoked_at is null
  `
  return [disabling.compile(db), revoking.compile(db)]
}

const sweepMs = 3_600_000
const sweepMsMax = 60_000
/** Signing keys are replaced after this long; the one before verifies until its last tokens end. */
const keyLifeSeconds = 30 * 86_400

const reconcileMs = 2_000
/** A request that is still running completes its own change. */
const reconcileAfterSeconds = 10

const listMs = 60_000
/** Looked at once more: what has been committed meanwhile may have begun before. */
const listAgainMs = 600_000

export interface AccountSweepDeps {
  db: Kysely<Tables>
  app: App
  accounts: AccountServices
  log: Log
}

/**
 * Starts clearing away ended sessions and tokens, replacing old signing keys, and settling changes
 * of addresses whose process has died: the log decides. Whoever is erased is put on the list, and
 * loses what is put back of them.
 */
export function startAccountSweep(deps: AccountSweepDeps) {
  const { app, accounts, log } = deps
  let listedTo = new Date(0)
  const listing = onceAtATime(async () => {
    const begun = Date.now()
    try {
      await listErased(deps, listedTo)
      listedTo = new Date(begun - listAgainMs)
      const count = await eraseKeysAgain(deps)
      if (count > 0) {
        const fields = { event: 'erased-again', count }
        log.warn(fields, 'keys or accounts of erased people were there again, and are destroyed')
      }
    } catch (error) {
      log.warn({ error: codeOf(error) }, 'not all who are erased are on the list yet')
    }
  })
  const listTimer = setInterval(listing.notify, listMs)
  listing.notify()
  const reconciling = onceAtATime(async () => {
    try {
      const moving = await accounts.accounts.moving(reconcileAfterSeconds)
      await Promise.all(moving.map(id => settleAddress(app, accounts, id)))
    } catch (error) {
      log.warn({ error: codeOf(error) }, 'addresses not reconciled yet')
    }
  })
  const reconcileTimer = setInterval(reconciling.notify, reconcileMs)
  async function sweep(): Promise<void> {
    await accounts.sessions.purge()
    if (await accounts.tokens.rotateKeys(keyLifeSeconds)) log.info({}, 'signing key replaced')
  }
  let sweeping: Promise<void> = Promise.resolve()
  const wake = () => {
    sweeping = sweeping
      .then(() => withDeadline(sweepMsMax, 'sweeping accounts', sweep()))
      .catch(error => log.warn({ error: String(error) }, 'accounts not swept yet'))
  }
  const timer = setInterval(wake, sweepMs)
  wake()
  return {
    async stop(): Promise<void> {
      clearInterval(timer)
      clearInterval(reconcileTimer)
      clearInterval(listTimer)
      await listing.settled()
      await reconciling.settled()
      await sweeping
    },
  }
}
