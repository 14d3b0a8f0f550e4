// Where every row of the file has ended: as part of an event, or as a refusal with its reason.
import type { ImportedDocument } from './earlierImports.ts'
import {
  type LedgerPlan,
  type LedgerRefusal,
  type PlannedDocument,
  type RowEnd,
  rowOutcomes,
} from './ledgerPlan.ts'

export interface RowCounts {
  read: number
  byEnd: ReadonlyMap<RowEnd, number>
  refusals: { reason: string; rows: number; firstRow: number }[]
  /** Rows that are in no event: their money is in no read model either. */
  refusedRows: ReadonlySet<number>
  /** Documents of the log that hold what the file says of them, in events. */
  documents: PlannedDocument[]
}

/** Counts the rows of a plan by where the log says they ended. */
export function countRows(
  plan: LedgerPlan,
  recorded: ReadonlyMap<string, ImportedDocument>,
): RowCounts {
  const byEnd = new Map<RowEnd, number>(rowOutcomes.map(end => [end, 0]))
  const reasons = new Map<string, { rows: number; firstRow: number }>()
  const refusedRows = new Set<number>()
  const documents: PlannedDocument[] = []
  for (const document of plan.documents) {
    const known = recorded.get(document.key)
    const refusals = refusalsOf(document, known)
    for (const { row, reason } of refusals) {
      refusedRows.add(row)
      const found = reasons.get(reason) ?? { rows: 0, firstRow: row }
      found.rows += 1
      reasons.set(reason, found)
    }
    for (const [row, end] of document.outcomes) {
      const final = refusedRows.has(row) ? 'refusals' : end
      byEnd.set(final, (byEnd.get(final) ?? 0) + 1)
    }
    if (known?.rows === document.outcomes.size) documents.push(document)
  }
  const refusals = [...reasons].map(([reason, found]) => ({ reason, ...found }))
  return { read: plan.rows, byEnd, refusals, refusedRows, documents }
}

function refusalsOf(
  document: PlannedDocument,
  recorded: ImportedDocument | undefined,
): readonly LedgerRefusal[] {
  const { outcomes, refusals } = document
  if (recorded === undefined) return all(document, 'was not imported')
  if (recorded.rows !== outcomes.size) {
    return all(document, `was imported before, when its document had ${recorded.rows} rows`)
  }
  // The same document in another file has other row numbers: then its plan says which they are.
  return recorded.refusals.every(({ row }) => outcomes.has(row)) ? recorded.refusals : refusals
}

function all({ outcomes }: PlannedDocument, reason: string): LedgerRefusal[] {
  return [...outcomes.keys()].map(row => ({ row, reason }))
}
