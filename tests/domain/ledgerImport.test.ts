// A document of another system's ledger comes in once.
import { describe, it } from 'vitest'
import {
  type LedgerImportEvent,
  ledgerImport,
  recordDocument,
} from '../../src/domain/ledger/ledgerImport.ts'
import { given } from '../support/specification.ts'

const givenDocument = given(ledgerImport)
const invoice = {
  document: '536365',
  rows: 7,
  refusals: [{ row: 3, reason: 'The price is missing.' }],
}
const imported: LedgerImportEvent = { type: 'LedgerDocumentImported', data: invoice }

describe('recording a document of a ledger', () => {
  it('says what became of each of its rows', () =>
    givenDocument()
      .when(state => recordDocument(state, invoice))
      .then([imported]))

  it('happens once', () =>
    givenDocument(imported)
      .when(state => recordDocument(state, invoice))
      .thenNothing())

  it('keeps the first answer when the document comes again with other rows', () =>
    givenDocument(imported)
      .when(state => recordDocument(state, { ...invoice, rows: 8, refusals: [] }))
      .thenNothing())
})
