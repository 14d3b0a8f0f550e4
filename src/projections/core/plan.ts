// What a batch is going to write and to raise.

import type { CompiledQuery, Kysely } from 'kysely'
import type { Raised } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** What a batch changes, before any of it is written. */
export interface Plan {
  /** In this order, in the transaction that moves the checkpoint. */
  writes: readonly CompiledQuery[]
  /** Work that has to see these writes: it follows them in the same transaction. */
  work?(trx: Db): Promise<void>
  /** What the commit raises, given how many rows each statement has written. */
  signals?(written: readonly number[]): readonly Raised[]
}

/** Writes what is planned, inside a transaction, and returns what the commit raises. */
export async function applyPlan(
  { writes, work, signals }: Plan,
  trx: Db,
): Promise<readonly Raised[]> {
  const written: number[] = []
  for (const write of writes) {
    const { numAffectedRows = 0n } = await trx.executeQuery(write)
    written.push(Number(numAffectedRows))
  }
  await work?.(trx)
  return signals?.(written) ?? []
}
