// What the free text of the ledger tells: names of products, and why stock was corrected.
import type { adjustmentReasons } from '../../../domain/stock/stock.ts'

type AdjustmentReason = (typeof adjustmentReasons)[number]

const damaged =
  /damag|broke|crush|crack|smash|mould|\bwet\b|\brust|fault|smudge|unsal|thrown?\b|defect/i
const missing = /\blost\b|missing|stolen|not rcvd/i
const counted = /\bcount|\bcheck|stock ?take/i

/** Why stock was corrected, from the note of the row; `correction` where it says nothing. */
export function reasonOf(description: string, quantity: number): AdjustmentReason {
  // Where the product's own name stands, its words say nothing about the correction.
  if (isPrinted(description) && !description.endsWith('?')) return 'correction'
  if (quantity < 0) {
    if (damaged.test(description)) return 'damaged'
    if (missing.test(description)) return 'lost'
  } else {
    if (/\bfound\b/i.test(description)) return 'found'
    if (/^returned/i.test(description)) return 'returned'
  }
  return counted.test(description) ? 'counted' : 'correction'
}

/**
 * How well a description serves as the name of a product: 2 when a customer paid for it under
 * that name, 1 when it is at least printed in capitals as names are, 0 for notes of the warehouse
 * such as `check` or `thrown away`: the bare code is a better name than those.
 */
export function nameRank(description: string, isPaidFor: boolean): 0 | 1 | 2 {
  if (description === '') return 0
  if (isPaidFor) return 2
  return isPrinted(description) ? 1 : 0
}

function isPrinted(text: string): boolean {
  const capitals = text.match(/[A-Z]/g)?.length ?? 0
  const small = text.match(/[a-z]/g)?.length ?? 0
  return capitals > small
}
