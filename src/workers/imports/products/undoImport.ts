// Undoes a bulk import row by row; what others have changed since stays, with the reason.
import type { Kysely } from 'kysely'
import { type UndoParts, undoProduct } from '../../../commands/catalogue/undoProduct.ts'
import { withDeadline } from '../../../kit/deadline.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import type { ImportJob } from './importTables.ts'
import { type NoteWrites, rowEnvelope, undoEnvelope } from './runImport.ts'
import { markUndone, type RowToUndo, recordUndone, rowsToUndo } from './undoTables.ts'

export interface UndoImportDeps extends UndoParts {
  db: Kysely<Tables>
  noteWrites: NoteWrites
  signal: AbortSignal
}

const batchRows = 64
/** A batch that takes longer has hung: the run ends, and another run resumes there. */
const batchMsMax = 120_000

/** Runs an undo to its end, from where the last run has left it. */
export async function undoImport(deps: UndoImportDeps, job: ImportJob): Promise<void> {
  const { db, signal } = deps
  for (;;) {
    if (signal.aborted) return
    const rows = await rowsToUndo(db, job.import_id, batchRows)
    if (rows.length === 0) {
      await deps.noteWrites(job.undo_requested_by ?? job.requested_by)
      return markUndone(db, job.import_id)
    }
    const undoing = Promise.allSettled(rows.map(row => undoRow(deps, job, row)))
    const results = await withDeadline(batchMsMax, 'a batch of rows', undoing)
    const failed = results.find(end => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    const kept = results.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []))
    await recordUndone(db, job.import_id, kept)
  }
}

async function undoRow(deps: UndoImportDeps, job: ImportJob, row: RowToUndo) {
  const kept = await undoProduct(deps, row, {
    row: rowEnvelope(deps.app, job, row.line),
    undo: undoEnvelope(deps.app, job, row.line),
  })
  return { line: row.line, kept: kept ?? null }
}
