// From the cells of a row to what it says of a product, or to everything that is wrong with it.

import type { ProductRow } from '../../../commands/catalogue/importProduct.ts'
import { createProduct } from '../../../commands/catalogue/products.ts'
import { createValidator } from '../../../commands/core/validator.ts'
import { normalizeSku } from '../../../domain/catalogue/skuClaim.ts'
import { exponentOf, parseMinor } from '../../../domain/kernel/money.ts'
import { Name, normalizeText } from '../../../domain/kernel/text.ts'
import type { Column, Fault, RawRow } from './rawRow.ts'

/** A row that can be carried out; its category is still a name. */
export interface CheckedRow {
  line: number
  row: ProductRow
  category?: string
}

export interface FaultyRow {
  line: number
  faults: Fault[]
}

const validate = createValidator(createProduct.input)
const faultsMax = 10
const checkCategory = createValidator(Name)

/** Checks a row as the API would check it; prices are in the shop's currency. */
export function checkRow(raw: RawRow, currency: string): CheckedRow | FaultyRow {
  const { line, cells, fault } = raw
  if (fault !== undefined) return { line, faults: [fault] }
  const faults: Fault[] = []
  const wrong = (column: Column, detail: string) => {
    faults.push({ pointer: `/${column}`, detail })
  }
  const row: ProductRow = { sku: normalizeSku(textOf(cells.sku)) }
  if (row.sku === '') wrong('sku', 'is missing')
  const name = textOf(cells.name)
  if (name !== '') row.name = normalizeText('name', name)
  if (cells.description !== undefined) row.description = textOf(cells.description)
  readMoney(row, cells, { currency, wrong })
  readStock(row, cells, wrong)
  readFlags(row, cells, wrong)
  const category = normalizeText('name', textOf(cells.category))
  const [longName] = category === '' ? [] : checkCategory(category).faults
  if (longName !== undefined) wrong('category', longName.detail)
  faults.push(...schemaFaults(row))
  if (faults.length > 0) return { line, faults: faults.slice(0, faultsMax) }
  return category === '' ? { line, row } : { line, row, category }
}

type Wrong = (column: Column, detail: string) => void
type Cells = RawRow['cells']

function readMoney(row: ProductRow, cells: Cells, on: { currency: string; wrong: Wrong }): void {
  const { currency, wrong } = on
  const stated = textOf(cells.currency)
  if (stated !== '' && stated.toUpperCase() !== currency) wrong('currency', `is not ${currency}`)
  if (cells.price === undefined) return
  const amount = readPrice(textOf(cells.price), currency)
  if (typeof amount === 'number') row.price = { amount, currency }
  else wrong('price', amount)
}

function readStock(row: ProductRow, cells: Cells, wrong: Wrong): void {
  if (cells.stock === undefined) return
  const text = textOf(cells.stock)
  if (/^\d{1,9}$/.test(text)) row.stock = Number(text)
  else wrong('stock', 'is not a whole number from 0 on')
}

function readFlags(row: ProductRow, cells: Cells, wrong: Wrong): void {
  for (const column of ['featured', 'active'] as const) {
    if (cells[column] === undefined) continue
    const value = truths.get(textOf(cells[column]).toLowerCase())
    if (value !== undefined) row[column] = value
    else wrong(column, 'is neither true nor false')
  }
}

const truths = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
])

function textOf(cell: string | number | boolean | undefined): string {
  return cell === undefined ? '' : String(cell).trim()
}

/** Minor units; or what is wrong: nothing is rounded, since nobody meant a fraction of a cent. */
function readPrice(text: string, currency: string): number | string {
  const exponent = exponentOf(currency)
  const fraction = /^\d+\.(\d+?)0*$/.exec(text)?.[1] ?? ''
  const amount = parseMinor(text, 1, currency)
  if (amount === undefined) return 'is not a decimal number such as 12.50'
  if (fraction.length > exponent && fraction !== '0') {
    return `has more than the ${exponent} decimals of ${currency}`
  }
  if (amount < 0) return 'is below zero'
  return Number.isSafeInteger(amount) ? amount : 'is too large'
}

/** What the API would say; a name and a price may be missing where the product is there already. */
function schemaFaults(row: ProductRow): Fault[] {
  const whole = { name: '?', price: { amount: 0, currency: 'AAA' }, ...row }
  const { faults } = validate(whole)
  return faults.filter(({ pointer }) => pointer !== '/sku' || row.sku !== '')
}
