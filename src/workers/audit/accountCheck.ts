// Checks that accounts, which are not in the log, belong to the people whom the log knows.
import { setTimeout } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../../projections/core/tables.ts'
import { type CheckResult, createFindings } from './logCheck.ts'

export interface AccountCheckDeps {
  db: Kysely<Tables>
  /** By which an address is recognised in shop.accounts. */
  digestOf(email: string): string
  /** Waits until what was under way has ended; 5 seconds. */
  beforeRecheck?: (() => Promise<unknown>) | undefined
}

interface Row {
  customer_id: string
  username: string
  email_digest: string
  moves: boolean
  known_as: string | null
  email: string | null
}

const pageSize = 2_000
const standsStillMs = 5_000
/** At most this many are checked again; more of them are a finding by themselves. */
const suspectsMax = 10_000

/**
 * Each account has the name and the address of its customer: with those of somebody else people
 * would sign in to another account than they think. What differs is looked at twice, as the read
 * model may be a moment behind.
 */
export async function accountsAreCustomers(deps: AccountCheckDeps): Promise<CheckResult> {
  const suspects: string[] = []
  let examined = 0
  for await (const row of accountRows(deps)) {
    examined += 1
    if (faultOf(deps, row) !== undefined && suspects.length < suspectsMax) {
      suspects.push(row.customer_id)
    }
  }
  const findings = createFindings()
  if (suspects.length > 0) {
    await (deps.beforeRecheck ?? (() => setTimeout(standsStillMs)))()
    for await (const row of accountRows(deps, suspects)) {
      const fault = faultOf(deps, row)
      if (fault !== undefined) findings.add(`account ${row.customer_id}: ${fault}`)
    }
  }
  return { check: 'accounts are those of the customers in the log', examined, ...findings.all() }
}

function faultOf({ digestOf }: AccountCheckDeps, row: Row): string | undefined {
  if (row.known_as === null) return 'the log knows no such customer'
  if (row.known_as !== row.username) return 'it has another name than its customer'
  const isOther = row.email !== null && digestOf(row.email) !== row.email_digest
  return isOther && !row.moves ? 'it has another address than its customer' : undefined
}

async function* accountRows(
  { db }: AccountCheckDeps,
  only: readonly string[] | null = null,
): AsyncGenerator<Row> {
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const { rows } = await sql<Row>`
      select a.customer_id, a.username, a.email_digest,
        coalesce(a.moving_since between now() - interval '1 hour' and now(), false) as moves,
        c.username as known_as, c.profile ->> 'email' as email
      from shop.accounts a
      left join readmodel.customers c using (customer_id)
      where (a.confirmed or c.username is not null) and a.customer_id > ${after}
        and (${only}::uuid[] is null or a.customer_id = any(${only}::uuid[]))
      order by a.customer_id
      limit ${pageSize}
    `.execute(db)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = last.customer_id
  }
}
