// What has been imported from another system's ledger: one event for each document of it.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { Payload, Reason, ShortText } from '../kernel/types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const LedgerImportEvents = {
  /** A document of the ledger became events, row by row, or a counted refusal. */
  LedgerDocumentImported: Payload({
    document: ShortText,
    rows: Type.Integer({ minimum: 1 }),
    refusals: Type.Array(Type.Object({ row: Type.Integer({ minimum: 1 }), reason: Reason }), {
      maxItems: 100_000,
    }),
  }),
}
export type LedgerImportEvent = EventOf<typeof LedgerImportEvents>

/** Each document has a stream of its own. */
export type LedgerImport = { isDone: boolean }

export const ledgerImport: Aggregate<LedgerImport, LedgerImportEvent> = {
  category: 'ledgerImport',
  events: LedgerImportEvents,
  initial: { isDone: false },
  evolve: () => ({ isDone: true }),
}

/** Records that a document is in, once. */
export function recordDocument(
  state: LedgerImport,
  input: Static<typeof LedgerImportEvents.LedgerDocumentImported>,
): Decision<LedgerImportEvent> {
  return state.isDone ? [] : [{ type: 'LedgerDocumentImported', data: input }]
}
