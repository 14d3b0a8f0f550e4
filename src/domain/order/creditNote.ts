// A credit note: money given back that no order of this log accounts for.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import {
  Country,
  Id,
  Payload,
  Personal,
  Quantity,
  ShortText,
  SignedMoney,
  Sku,
  strict,
} from '../kernel/types.ts'

const CreditLine = Type.Object(
  {
    productId: Type.Union([Id, Type.Null()]),
    sku: Sku,
    name: ShortText,
    quantity: Quantity,
    total: SignedMoney,
  },
  strict,
)

// Names and payloads are the storage format: they are versioned, never renamed.
export const CreditNoteEvents = {
  CreditNoteIssued: Payload(
    {
      creditNoteId: Id,
      reference: ShortText,
      customerId: Id,
      country: Type.Union([Country, Type.Null()]),
      reason: Personal({ minLength: 1, maxLength: 500 }),
      lines: Type.Array(CreditLine, { maxItems: 5_000 }),
      total: SignedMoney,
    },
    { subject: 'customerId' },
  ),
}
export type CreditNoteEvent = EventOf<typeof CreditNoteEvents>
export type CreditNote = { status: 'none' } | { status: 'issued' }

export const creditNote: Aggregate<CreditNote, CreditNoteEvent> = {
  category: 'creditNote',
  events: CreditNoteEvents,
  initial: { status: 'none' },
  evolve: () => ({ status: 'issued' }),
}

/** Issues a credit note, once. */
export function issue(
  state: CreditNote,
  input: Static<typeof CreditNoteEvents.CreditNoteIssued>,
): Decision<CreditNoteEvent> {
  return state.status === 'none' ? [{ type: 'CreditNoteIssued', data: input }] : []
}
