// The writes and signals of a batch.

import type { CompiledQuery, Kysely } from 'kysely'
import type { Raised } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** The changes of a batch before they are written. */
export interface Plan {
  /** Statements, in order, for the transaction that moves the checkpoint. */
  writes: readonly CompiledQuery[]
  /** Work that reads these writes, run after them in the same transaction. */
  work?(trx: Db): Promise<void>
  /** The signals of the commit, from the number of rows that each statement has written. */
  signals?(written: readonly number[]): readonly Raised[]
}

/** Runs a plan inside a transaction and returns the signals to raise after its commit. */
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
