// One row of the ledger, understood: numbers, time, and the document it belongs to; or a refusal.

import { idOf } from '../../../commands/core/ids.ts'
import { normalizeSku } from '../../../domain/catalogue/skuClaim.ts'
import { parseMinor } from '../../../domain/kernel/money.ts'
import { cutText } from '../../../domain/kernel/text.ts'
import type { LedgerRow } from './readLedger.ts'

/** The ledger does not name its currency; the shop that wrote it is in London. */
export const ledgerCurrency = 'GBP'

export interface Entry {
  row: number
  /** Of the document: rows of one invoice, day, customer and country. */
  document: string
  invoice: string
  /** As the row has it, so that totals by code agree with the file. */
  code: string
  /** The SKU of the product: the code without regard to case. */
  product: string
  isGoods: boolean
  description: string
  /** Never 0; negative when goods or money go back. */
  quantity: number
  unitSign: -1 | 0 | 1
  /** Of one piece, in minor units; rounded, which only prices finer than a penny need. */
  unitMinor: number
  isWholePennies: boolean
  /** Of the row, in minor units, rounded once. */
  amountMinor: number
  at: Date
  /** The customer's number, empty when the row names none. */
  customer: string
  country: string
}

export interface RefusedRow {
  row: number
  document: string
  reason: string
}

const limits = { invoice: 40, code: 64, customer: 40, country: 60, quantity: 1_000_000 }
/** Sums of 5,000 such lines stay exact. */
const amountMax = 1_000_000_000_000

/** Understands a row, or says why it cannot be. */
export function interpret(row: LedgerRow): Entry | RefusedRow {
  const invoice = row.invoice.trim()
  const code = row.code.trim()
  const country = row.country.trim()
  const customer = row.customer.trim().replace(/\.0+$/, '')
  const at = parseTime(row.date)
  const headFault = row.fault ?? documentFault({ invoice, customer, country, at }, row)
  if (headFault !== undefined || at === undefined) {
    return { row: row.row, document: strayKey(row), reason: headFault ?? 'has no date' }
  }
  const document = [invoice, at.toISOString().slice(0, 10), customer, country].join('|')
  const fault = lineFault(row, code)
  if (fault !== undefined) return { row: row.row, document, reason: fault }
  const price = row.price.trim()
  const quantity = Number(row.quantity)
  return {
    row: row.row,
    document,
    invoice,
    code,
    product: normalizeSku(code),
    isGoods: isGoods(code),
    description: cutText(row.description.trim(), 200),
    quantity,
    unitSign: signOf(price),
    unitMinor: parseMinor(price, 1, ledgerCurrency) ?? 0,
    isWholePennies: /^-?\d+(?:\.\d{1,2}0*)?$/.test(price),
    amountMinor: parseMinor(price, quantity, ledgerCurrency) ?? 0,
    at,
    customer,
    country,
  }
}

/** Rows that belong to no document stand for themselves; equal ones stand together. */
function strayKey({ row: _, ...content }: LedgerRow): string {
  return `stray|${idOf('retail', 'row', JSON.stringify(content))}`
}

interface Head {
  invoice: string
  customer: string
  country: string
  at: Date | undefined
}

function documentFault({ invoice, customer, country, at }: Head, row: LedgerRow) {
  if (invoice === '') return 'has no invoice number'
  if (invoice.length > limits.invoice) return 'has an invoice number of more than 40 characters'
  if (customer.length > limits.customer) return 'has a customer of more than 40 characters'
  if (country.length > limits.country) return 'has a country of more than 60 characters'
  if (at === undefined) return `has no date like 2010-12-01 08:26:00 but ${quote(row.date)}`
  return undefined
}

function lineFault(row: LedgerRow, code: string): string | undefined {
  if (code === '') return 'has no stock code'
  if (code.length > limits.code) return 'has a stock code of more than 64 characters'
  if (!/^\s*[+-]?\d{1,15}(?:\.0+)?\s*$/.test(row.quantity)) {
    return `has a quantity that is not a whole number: ${quote(row.quantity)}`
  }
  const quantity = Number(row.quantity)
  if (quantity === 0) return 'has the quantity 0'
  if (Math.abs(quantity) > limits.quantity) return 'has a quantity of more than a million'
  const amount = parseMinor(row.price, quantity, ledgerCurrency)
  if (amount === undefined) return `has a price that is not a number: ${quote(row.price)}`
  if (Math.abs(amount) > amountMax) return 'has an amount of more than ten thousand million'
  return undefined
}

function quote(text: string) {
  return JSON.stringify(text.slice(0, 40))
}

function signOf(price: string): -1 | 0 | 1 {
  if (!/[1-9]/.test(price)) return 0
  return price.startsWith('-') ? -1 : 1
}

/** `2010-12-01 08:26:00`, read as UTC; undefined when there is no such moment. */
function parseTime(text: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::(\d\d))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, day = '', time = '', seconds = '00'] = match
  const iso = `${day}T${time}:${seconds}.000Z`
  const at = new Date(iso)
  // 30 February becomes 2 March, which is not what the ledger says.
  return Number.isNaN(at.getTime()) || at.toISOString() !== iso ? undefined : at
}

/**
 * Whether a code stands for goods: article numbers have four digits in a row, with or without
 * letters before them (gift_0001_20, SP1002), and two families have none. Everything else is money
 * under a name: POST, DOT, M, D, C2, S, B, CRUK, BANK CHARGES, AMAZONFEE, ADJUST, TEST001.
 */
export function isGoods(code: string): boolean {
  if (/^(?:test|adjust)/i.test(code)) return false
  return /^(?:[a-z]+[ _]?)?\d{4}/i.test(code) || /^(?:dcgs|pads)/i.test(code)
}
