// Carries out an import plan: documents side by side, each repeatable until it is recorded as done.

import type { App } from '../../../commands/core/app.ts'
import { type Answer, execute } from '../../../commands/core/command.ts'
import {
  importCreditNote,
  importOrder,
  importReturn,
  recordDocument,
} from '../../../commands/ledger/importLedger.ts'
import { adjustStock } from '../../../commands/stock/stock.ts'
import { isRejection } from '../../../domain/kernel/rejection.ts'
import { cutText } from '../../../domain/kernel/text.ts'
import type { OrderLine } from '../../../domain/order/order.ts'
import type { Position } from '../../../kit/position.ts'
import type { Envelope } from '../../../ports/envelope.ts'
import { importEnvelope } from './importEnvelope.ts'
import { ledgerCurrency } from './ledgerEntry.ts'
import type {
  LedgerPlan,
  LedgerRefusal,
  PlannedCredit,
  PlannedDocument,
  PlannedLine,
  PlannedMovement,
  PlannedOrder,
  PlannedReturn,
} from './ledgerPlan.ts'
import { createImportEntities, type ImportEntities } from './productsAndCustomers.ts'

export interface ImportedNow {
  document: PlannedDocument
  refusals: readonly LedgerRefusal[]
  /** Where in the log the document ended. */
  position: Position
}

export interface RunOptions {
  isDone(document: string): boolean
  /** Told about each document once it is recorded. */
  onDocument(done: ImportedNow): void
  /** Starts no further documents once it aborts; those under way are finished. */
  signal?: AbortSignal
  /** Documents under way at a time; the store writes what is under way together. */
  concurrency?: number
}

const concurrencyDefault = 64

/** Imports the rest of the plan. Throws the first error of a document, after the others ended. */
export async function runImport(app: App, plan: LedgerPlan, on: RunOptions): Promise<void> {
  const open = plan.documents.filter(({ key }) => !on.isDone(key))
  const run: Run = {
    app,
    entities: createImportEntities(app, plan, open),
    orders: new Map(),
  }
  const queue = open.values()
  const failures: unknown[] = []
  const work = async () => {
    for (const document of queue) {
      if (on.signal?.aborted || failures.length > 0) return
      try {
        on.onDocument(await importDocument(run, document))
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: on.concurrency ?? concurrencyDefault }, work))
  if (failures.length > 0) throw failures[0]
}

interface Run {
  app: App
  entities: ImportEntities
  /** Orders under way: what comes back to one waits for it. */
  orders: Map<string, Promise<void>>
}

interface DocumentImport extends Run {
  document: PlannedDocument
  at: Date
  refusals: LedgerRefusal[]
}

async function importDocument(run: Run, document: PlannedDocument): Promise<ImportedNow> {
  const at = document.at ?? run.app.clock.now()
  const documentImport: DocumentImport = { ...run, document, at, refusals: [...document.refusals] }
  const ordered = importOrders(documentImport)
  for (const { orderId } of document.orders) run.orders.set(orderId, ordered)
  try {
    await ordered
  } finally {
    for (const { orderId } of document.orders) run.orders.delete(orderId)
  }
  await Promise.all([
    ...document.returns.map(each => returnGoods(documentImport, each)),
    ...document.credits.map(each => issueCreditNote(documentImport, each)),
    ...document.movements.map(each => move(documentImport, each)),
  ])
  const refusals = documentImport.refusals.toSorted((a, b) => a.row - b.row)
  const input = { documentId: document.id, document: document.key, rows: document.outcomes.size }
  const recorded = await execute(
    run.app,
    recordDocument,
    { ...input, refusals },
    envelopeOf(documentImport, document.id),
  )
  if (isRejection(recorded)) throw new Error(`${document.key}: ${recorded.detail}`)
  return { document, refusals, position: recorded.position }
}

function envelopeOf({ document, at }: DocumentImport, commandId: string): Envelope {
  return importEnvelope({ commandId, correlationId: document.id, at })
}

/** A refusal of the shop is an end of these rows like any other: counted and explained. */
function recordAnswer(
  documentImport: DocumentImport,
  rows: readonly { row: number }[],
  answer: Answer,
): void {
  if (!isRejection(answer)) return
  const reason = cutText(`${answer.rejected}: ${answer.detail}`, 500)
  const refused = new Set(documentImport.refusals.map(({ row }) => row))
  for (const row of new Set(rows.map(each => each.row))) {
    if (!refused.has(row)) documentImport.refusals.push({ row, reason })
  }
}

async function importOrders(documentImport: DocumentImport): Promise<void> {
  await documentImport.entities.customer(documentImport.document.customerId)
  await Promise.all(documentImport.document.orders.map(each => sell(documentImport, each)))
}

async function sell(
  documentImport: DocumentImport,
  { orderId, lines, charges }: PlannedOrder,
): Promise<void> {
  const { document, app } = documentImport
  const answer = await execute(
    app,
    importOrder,
    {
      orderId,
      orderNumber: document.invoice,
      customerId: document.customerId,
      lines: await orderLines(documentImport, lines),
      charges: charges.map(({ code, name, amountMinor }) => ({
        code,
        name,
        amount: money(amountMinor),
      })),
      currency: ledgerCurrency,
      country: document.country || null,
    },
    envelopeOf(documentImport, orderId),
  )
  recordAnswer(documentImport, [...lines, ...charges], answer)
}

async function returnGoods(documentImport: DocumentImport, planned: PlannedReturn): Promise<void> {
  const { orderId, returnId } = planned
  await documentImport.orders.get(orderId)
  const lines = await orderLines(documentImport, planned.lines)
  const reference = documentImport.document.invoice
  const answer = await execute(
    documentImport.app,
    importReturn,
    { orderId, returnId, reference, lines },
    envelopeOf(documentImport, returnId),
  )
  recordAnswer(documentImport, planned.lines, answer)
}

async function issueCreditNote(
  documentImport: DocumentImport,
  { creditNoteId, reason, lines }: PlannedCredit,
): Promise<void> {
  const { document, app, entities } = documentImport
  const credited = await Promise.all(
    lines.map(async ({ product, sku, name, quantity, totalMinor }) => {
      const productId = product === null ? null : await entities.product(product)
      return { productId, sku, name, quantity, total: money(totalMinor) }
    }),
  )
  const answer = await execute(
    app,
    importCreditNote,
    {
      creditNoteId,
      reference: document.invoice,
      customerId: document.customerId,
      country: document.country || null,
      reason,
      lines: credited,
      total: money(lines.reduce((sum, { totalMinor }) => sum + totalMinor, 0)),
    },
    envelopeOf(documentImport, creditNoteId),
  )
  recordAnswer(documentImport, lines, answer)
}

async function move(documentImport: DocumentImport, planned: PlannedMovement): Promise<void> {
  const { commandId, product, delta, reason, note } = planned
  const productId = await documentImport.entities.product(product)
  const input = { productId, delta, reason }
  const answer = await execute(
    documentImport.app,
    adjustStock,
    note === undefined ? input : { ...input, note },
    envelopeOf(documentImport, commandId),
  )
  recordAnswer(
    documentImport,
    planned.rows.map(row => ({ row })),
    answer,
  )
}

function orderLines(
  documentImport: DocumentImport,
  lines: readonly PlannedLine[],
): Promise<OrderLine[]> {
  return Promise.all(
    lines.map(async ({ product, sku, name, quantity, unitMinor, totalMinor }) => ({
      productId: await documentImport.entities.product(product),
      sku,
      name,
      quantity,
      unitPrice: money(unitMinor),
      total: money(totalMinor),
    })),
  )
}

function money(amount: number) {
  return { amount, currency: ledgerCurrency }
}
