// The rows of an import that an undo has to look at, and what became of them.
import { type Kysely, sql } from 'kysely'
import type { UndoneRow } from '../../../commands/catalogue/undoProduct.ts'
import type { Tables } from '../../../projections/core/tables.ts'

type Db = Kysely<Tables>

export type RowToUndo = UndoneRow & { line: number }
type Revisions = 'revision' | 'stockRevision'

/** The next rows that an undo has to look at. */
export async function rowsToUndo(db: Db, importId: string, limit: number): Promise<RowToUndo[]> {
  const { rows } = await sql<Omit<RowToUndo, Revisions> & Record<Revisions, bigint | null>>`
    select line, product_id as "productId", sku, action, revision, stock,
      stock_revision as "stockRevision"
    from shop.product_import_rows
    where import_id = ${importId} and not undone and kept is null
    order by line
    limit ${limit}
  `.execute(db)
  return rows.map(({ revision, stockRevision, ...row }) => ({
    ...row,
    revision: Number(revision),
    stockRevision: stockRevision === null ? null : Number(stockRevision),
  }))
}

/** Records which rows were undone, and why others were not. */
export async function recordUndone(
  db: Db,
  importId: string,
  outcomes: readonly { line: number; kept: string | null }[],
): Promise<void> {
  await sql`
    update shop.product_import_rows r
    set undone = e.kept is null, kept = e.kept
    from json_to_recordset(${JSON.stringify(outcomes)}::json) as e(line integer, kept text)
    where r.import_id = ${importId} and r.line = e.line
  `.execute(db)
}

export async function markUndone(db: Db, importId: string): Promise<void> {
  await sql`
    update shop.product_imports
    set status = 'undone', undone_at = now()
    where import_id = ${importId} and status = 'undoing'
  `.execute(db)
}
