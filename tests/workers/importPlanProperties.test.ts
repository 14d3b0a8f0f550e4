// Whatever the file holds: every row ends once, and the plan moves the money and goods of its rows.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interpret } from '../../src/workers/imports/ledger/ledgerEntry.ts'
import type {
  LedgerPlan,
  PlannedDocument,
  PlannedLine,
} from '../../src/workers/imports/ledger/ledgerPlan.ts'
import { planLedger } from '../../src/workers/imports/ledger/planLedger.ts'
import type { LedgerRow } from '../../src/workers/imports/ledger/readLedger.ts'
import { totalsOfFile } from '../../src/workers/imports/ledger/reconcile.ts'
import { forAll } from '../support/property.ts'

const row = fc.record({
  invoice: fc.constantFrom('1', '2', '3', 'C4', 'C5', 'A6', ''),
  code: fc.constantFrom('10001', '10002', '10002A', '10002a', 'POST', 'D', 'M', ''),
  description: fc.constantFrom('LANTERN', 'damaged', '?', ''),
  quantity: fc.constantFrom('1', '2', '3', '10', '-1', '-2', '-7', '0', 'x'),
  date: fc.constantFrom('2010-12-01 08:00:00', '2010-12-01 09:00:00', '2010-12-02 08:00:00', '?'),
  price: fc.constantFrom('2.55', '2.55', '0.85', '0.001', '0.125', '0', '0.0', '-4.5', 'x'),
  customer: fc.constantFrom('1.0', '2.0', ''),
  country: fc.constantFrom('EIRE', 'France'),
})
const ledger = fc
  .array(row, { minLength: 1, maxLength: 40 })
  .map(rows => rows.map((each, index): LedgerRow => ({ ...each, row: index + 2 })))

function moneyOf({ documents }: LedgerPlan): number {
  const amounts = documents.flatMap(({ orders, returns, credits }) => [
    ...orders.flatMap(({ lines }) => lines.map(line => line.totalMinor)),
    ...orders.flatMap(({ charges }) => charges.map(charge => charge.amountMinor)),
    ...returns.flatMap(({ lines }) => lines.map(line => -line.totalMinor)),
    ...credits.flatMap(({ lines }) => lines.map(line => line.totalMinor)),
  ])
  return amounts.reduce((sum, amount) => sum + amount, 0)
}

function piecesOf({ orders, movements }: PlannedDocument): number {
  const sold = orders.flatMap(({ lines }) => lines).reduce((sum, line) => sum + line.quantity, 0)
  return movements.reduce((sum, { delta }) => sum + delta, 0) - sold
}

/** Pieces by order, product and price. */
function count(
  sold: Map<string, number>,
  { orderId, lines, sign }: { orderId: string; lines: readonly PlannedLine[]; sign: number },
): void {
  for (const { product, unitMinor, quantity } of lines) {
    const key = `${orderId} ${product} ${unitMinor}`
    sold.set(key, (sold.get(key) ?? 0) + sign * quantity)
  }
}

function refusedRows({ documents }: LedgerPlan): Set<number> {
  return new Set(documents.flatMap(({ refusals }) => refusals.map(refusal => refusal.row)))
}

describe('a plan', () => {
  it('gives every row exactly one end', () => {
    forAll(ledger, rows => {
      const ended = planLedger(rows).documents.flatMap(({ outcomes: ends }) => [...ends.keys()])
      expect(ended.toSorted((a, b) => a - b)).toEqual(rows.map(each => each.row))
    })
  })

  it('moves the money of its rows, to the penny', () => {
    forAll(ledger, rows => {
      const plan = planLedger(rows)
      const refused = refusedRows(plan)
      const kept = rows.filter(each => !refused.has(each.row))
      const file = [...totalsOfFile(kept).day.values()].reduce((sum, amount) => sum + amount, 0)
      expect(moneyOf(plan)).toBe(file)
    })
  })

  it('moves the pieces of its rows, except where only a price is corrected', () => {
    forAll(ledger, rows => {
      const { documents } = planLedger(rows)
      const ends = new Map(documents.flatMap(document => [...document.outcomes]))
      const pieces = rows.map(interpret).map(entry => {
        const end = ends.get(entry.row)
        if ('reason' in entry || !entry.isGoods || entry.unitSign < 0) return 0
        // A note of the warehouse says what came in, an invoice what went out.
        return end === 'stock adjustments' ? entry.quantity : -entry.quantity
      })
      const moved = documents.reduce((sum, document) => sum + piecesOf(document), 0)
      expect(moved).toBe(pieces.reduce((sum, quantity) => sum + quantity, 0))
    })
  })

  it('never takes back more of an order than was sold, nor before it was', () => {
    forAll(ledger, rows => {
      const sold = new Map<string, number>()
      for (const { orders, returns } of planLedger(rows).documents) {
        for (const { orderId, lines } of orders) count(sold, { orderId, lines, sign: 1 })
        for (const { orderId, lines } of returns) count(sold, { orderId, lines, sign: -1 })
        expect(Math.min(0, ...sold.values())).toBe(0)
      }
    })
  })

  it('is the same for the same rows, wherever in a file they are', () => {
    forAll(ledger, rows => {
      const moved = rows.map(each => ({ ...each, row: each.row + 100 }))
      const ids = (plan: LedgerPlan) =>
        plan.documents.map(({ id, orders, returns }) => [
          id,
          orders.map(order => order.orderId),
          returns.map(each => each.returnId),
        ])
      expect(ids(planLedger(moved))).toEqual(ids(planLedger(rows)))
    })
  })
})
