// Tokens that are sent by mail, with a limit per account and hour.
import { type Pool, rows, type Statement, transaction } from '../postgres/database.ts'
import { lockAccount } from './passwordChanges.ts'

/** The second at which a token ends that is issued now: part of what it is authenticated for. */
export function endOf(ttlSeconds: number): number {
  return Math.ceil(Date.now() / 1_000) + ttlSeconds
}

/** The same of a row; one that was written there is not the one of the token. */
export const expiryColumn = (column: string) =>
  `trunc(extract(epoch from ${column}))::text as ends_at`

/**
 * Runs the statement that issues a token, while nobody else can issue one for the account: those
 * that are asked for together are counted one by one, each seeing the one before. Whether one was
 * issued. Throws Unavailable.
 */
export async function issueOnlyToken(
  pool: Pool,
  customerId: string,
  issue: { statement: Statement; values: unknown[] },
): Promise<boolean> {
  const issued = await transaction(pool, async session => {
    await lockAccount(session, customerId)
    return rows(session, issue.statement, issue.values)
  })
  return issued.length > 0
}
