// The shape of an import plan: what each document of the ledger becomes, row by row.
import type { Adjustment } from '../../../domain/stock/stock.ts'
import type { Entry, RefusedRow } from './ledgerEntry.ts'

export interface PlannedLine {
  row: number
  /** SKU of the product. */
  product: string
  /** The code as the row has it. */
  sku: string
  name: string
  quantity: number
  unitMinor: number
  totalMinor: number
}

export interface PlannedCharge {
  row: number
  code: string
  name: string
  amountMinor: number
}

export interface PlannedOrder {
  orderId: string
  lines: PlannedLine[]
  charges: PlannedCharge[]
}

export interface PlannedReturn {
  returnId: string
  orderId: string
  lines: PlannedLine[]
}

export interface PlannedCreditLine {
  row: number
  product: string | null
  sku: string
  name: string
  quantity: number
  /** Negative when money goes back. */
  totalMinor: number
}

export interface PlannedCredit {
  creditNoteId: string
  reason: string
  lines: PlannedCreditLine[]
}

export interface PlannedMovement {
  commandId: string
  /** The rows that are this movement and nothing else; none for goods of a return or a credit. */
  rows: number[]
  product: string
  delta: number
  reason: Adjustment['reason']
  note: string | undefined
}

export const rowOutcomes = [
  'order lines',
  'charges of orders',
  'returns',
  'returns and credit notes',
  'credit notes',
  'stock adjustments',
  'refusals',
] as const

/** Where a row ends; every row has exactly one end. */
export type RowEnd = (typeof rowOutcomes)[number]

export interface LedgerRefusal {
  row: number
  reason: string
}

export interface PlannedDocument {
  /** Invoice, day, customer and country: the same in every file that holds the document. */
  key: string
  /** Of its stream. */
  id: string
  invoice: string
  /** Of its first row; undefined when no row of it can be read. */
  at: Date | undefined
  customerId: string
  country: string
  orders: PlannedOrder[]
  returns: PlannedReturn[]
  credits: PlannedCredit[]
  movements: PlannedMovement[]
  refusals: LedgerRefusal[]
  outcomes: ReadonlyMap<number, RowEnd>
}

export interface PlannedProduct {
  sku: string
  name: string
  /** What the first customer paid for a piece; undefined when nobody has paid for one. */
  priceMinor: number | undefined
  at: Date
}

export interface PlannedCustomer {
  customerId: string
  username: string
  /** As the ledger has it, empty for the walk-in customer. */
  number: string
  country: string
  at: Date
}

export interface LedgerPlan {
  documents: PlannedDocument[]
  products: ReadonlyMap<string, PlannedProduct>
  customers: ReadonlyMap<string, PlannedCustomer>
  rows: number
}

/** The rows of one invoice, day, customer and country, wherever in the file they are. */
export interface Group {
  key: string
  entries: Entry[]
  refused: RefusedRow[]
}
