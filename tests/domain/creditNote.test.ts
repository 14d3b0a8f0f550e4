// A credit note is issued once.
import { describe, it } from 'vitest'
import { creditNote, issue } from '../../src/domain/order/creditNote.ts'
import { customerId, productId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenNote = given(creditNote)
const note = {
  creditNoteId: sampleId(71),
  reference: 'C536379',
  customerId,
  country: 'United Kingdom',
  reason: 'Discount',
  lines: [
    {
      productId: null,
      sku: 'D',
      name: 'Discount',
      quantity: 1,
      total: { amount: -2750, currency: 'GBP' },
    },
    {
      productId,
      sku: 'LANTERN',
      name: 'Lantern',
      quantity: 2,
      total: { amount: -850, currency: 'GBP' },
    },
  ],
  total: { amount: -3600, currency: 'GBP' },
}

describe('issuing a credit note', () => {
  it('records it, with amounts that may be negative and lines that are no product', () =>
    givenNote()
      .when(state => issue(state, note))
      .then([{ type: 'CreditNoteIssued', data: note }]))

  it('happens once', () =>
    givenNote({ type: 'CreditNoteIssued', data: note })
      .when(state => issue(state, note))
      .thenNothing())

  it('never changes a note that is issued', () =>
    givenNote({ type: 'CreditNoteIssued', data: note })
      .when(state => issue(state, { ...note, total: { amount: -1, currency: 'GBP' } }))
      .thenNothing())
})
