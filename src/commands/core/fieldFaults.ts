// What is wrong with a value, in plain words: every faulty field at once, named by JSON pointer.
import type { TSchema } from 'typebox'
import Format from 'typebox/format'
import { countryCodes } from '../../domain/kernel/countries.ts'
import { isStorable } from '../../domain/kernel/text.ts'

export interface FieldFault {
  pointer: string
  detail: string
}

/** What a schema says as plain JSON Schema, as far as requests use it. */
export interface Shape {
  type?: string
  properties?: Readonly<Record<string, Shape>>
  required?: readonly string[]
  additionalProperties?: boolean | Shape
  minProperties?: number
  items?: Shape
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  anyOf?: readonly Shape[]
  enum?: readonly unknown[]
  const?: unknown
  not?: { const: unknown }
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
  description?: string
}

/** As many as a problem may hold. */
export const faultsMax = 100
const namesShown = 20

/** The plain form of a schema. */
export function shapeOf(schema: TSchema): Shape {
  return schema
}

/** All faults of a value, up to a hundred; none where only the validator itself sees one. */
export function faultsOf(shape: Shape, value: unknown): FieldFault[] {
  const faults: FieldFault[] = []
  find(shape, value, { pointer: '', faults })
  return faults.slice(0, faultsMax)
}

interface At {
  pointer: string
  faults: FieldFault[]
}

function find(shape: Shape, value: unknown, at: At): void {
  if (at.faults.length >= faultsMax) return
  if (shape.anyOf !== undefined) findInUnion(shape.anyOf, value, at)
  else if (shape.enum !== undefined || 'const' in shape) findInChoice(shape, value, at)
  else if (shape.type === 'object') findInObject(shape, value, at)
  else if (shape.type === 'array') findInArray(shape, value, at)
  else {
    const detail = detailOf(shape, value)
    if (detail !== undefined) at.faults.push({ pointer: at.pointer, detail })
  }
}

function detailOf(shape: Shape, value: unknown): string | undefined {
  switch (shape.type) {
    case 'string':
      return typeof value === 'string' ? detailOfText(shape, value) : 'must be text'
    case 'integer':
      return detailOfNumber(shape, value, 'must be a whole number')
    case 'number':
      return detailOfNumber(shape, value, 'must be a number')
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false'
    case 'null':
      return value === null ? undefined : 'must be null'
    default:
      return undefined
  }
}

function detailOfNumber(shape: Shape, value: unknown, typeDetail: string): string | undefined {
  const { type, minimum = -Infinity, maximum = Infinity } = shape
  if (typeof value !== 'number' || !Number.isFinite(value)) return typeDetail
  if (type === 'integer' && !Number.isInteger(value)) return typeDetail
  if (shape.not?.const === 0 && value === 0) return 'must not be 0'
  if (value < minimum) return `must not be less than ${minimum}`
  return value > maximum ? `must not be greater than ${maximum}` : undefined
}

const formatDetails: Readonly<Record<string, string>> = {
  line: 'must be one line of visible text without control characters',
  multiline: 'must be visible text without control characters',
  name: 'must be one line of visible text, short enough in its compatibility form (NFKC)',
  sku: 'must be one line of visible text without control characters',
  'date-time': 'must be a time as in RFC 3339, such as 2026-06-30T23:59:59Z',
  date: 'must be a day of the calendar, such as 2026-06-30',
}

/** What is said of strings that the database cannot hold. */
export const notStorable = 'must be well-formed Unicode without NUL characters'

function detailOfText(shape: Shape, text: string): string | undefined {
  const { minLength = 0, maxLength = Infinity, format, pattern, description } = shape
  if (!isStorable(text)) return notStorable
  if (format === 'country') return detailOfCountry(text)
  if (text === '' && minLength > 0) return 'must not be empty'
  if (format !== undefined && !passesFormat(format, text)) return formatDetails[format]
  const length = [...text].length
  if (length < minLength) return `must have at least ${minLength} characters`
  if (format !== undefined && length > maxLength) {
    return `must have at most ${maxLength} characters`
  }
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) {
    if (description === undefined) return 'does not have the required form'
    return `must be ${description.charAt(0).toLowerCase()}${description.slice(1)}`
  }
  return length > maxLength ? `must have at most ${maxLength} characters` : undefined
}

function passesFormat(format: string, text: string): boolean {
  return !Format.Has(format) || Format.Test(format, text)
}

function detailOfCountry(text: string): string | undefined {
  if (countryCodes.has(text)) return undefined
  const code = codeOfCountry(text)
  const hint = code === undefined ? 'such as GB or DE' : `here ${code}`
  return `must be an ISO 3166-1 alpha-2 code, ${hint}`
}

/** The code of a country that was written out in English; UK is not a code of ISO 3166-1. */
function codeOfCountry(text: string): string | undefined {
  const name = text.toLowerCase()
  if (name === 'uk') return 'GB'
  const names = new Intl.DisplayNames(['en'], { type: 'region' })
  return [...countryCodes].find(code => names.of(code)?.toLowerCase() === name)
}

function findInChoice(shape: Shape, value: unknown, { pointer, faults }: At): void {
  const options = shape.enum ?? [shape.const]
  if (options.includes(value)) return
  const words = options.map(option => (typeof option === 'string' ? option : String(option)))
  const detail = words.length === 1 ? `must be ${words[0]}` : `must be one of: ${words.join(', ')}`
  faults.push({ pointer, detail: detail.slice(0, 1_000) })
}

function findInObject(shape: Shape, value: unknown, { pointer, faults }: At): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ pointer, detail: 'must be a JSON object' })
    return
  }
  const { properties = {}, required = [], additionalProperties, minProperties = 0 } = shape
  const given = new Map<string, unknown>(Object.entries(value))
  for (const name of required) {
    if (!given.has(name)) faults.push({ pointer: below(pointer, name), detail: 'is required' })
  }
  for (const [name, field] of given) {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined
    const at = { pointer: below(pointer, name), faults }
    if (known !== undefined) find(known, field, at)
    else if (additionalProperties === false) {
      const names = Object.keys(properties).slice(0, namesShown).join(', ')
      const allowed = names === '' ? 'there are none here' : `the fields here are ${names}`
      faults.push({ pointer: at.pointer, detail: `is not a known field: ${allowed}` })
    }
    if (faults.length >= faultsMax) return
  }
  if (given.size < minProperties) {
    faults.push({ pointer, detail: `must have at least ${minProperties} of its fields` })
  }
}

function findInArray(shape: Shape, value: unknown, { pointer, faults }: At): void {
  if (!Array.isArray(value)) {
    faults.push({ pointer, detail: 'must be an array' })
    return
  }
  const { items = {}, minItems = 0, maxItems = Infinity, uniqueItems } = shape
  if (value.length < minItems) {
    faults.push({ pointer, detail: `must have at least ${minItems} items` })
  }
  if (value.length > maxItems) {
    faults.push({ pointer, detail: `must have at most ${maxItems} items` })
    return
  }
  const before = faults.length
  for (const [index, item] of value.entries()) {
    find(items, item, { pointer: below(pointer, String(index)), faults })
    if (faults.length >= faultsMax) return
  }
  // Only of items that fit: the nesting of others may have no end.
  if (uniqueItems !== true || faults.length > before) return
  if (new Set(value.map(item => JSON.stringify(item))).size < value.length) {
    faults.push({ pointer, detail: 'must not have the same item twice' })
  }
}

/** The faults of the branch that fits best: the one with the fewest, which null never is. */
function findInUnion(branches: readonly Shape[], value: unknown, at: At): void {
  const tried = branches.map(branch => {
    const faults: FieldFault[] = []
    find(branch, value, { pointer: at.pointer, faults })
    return { branch, faults }
  })
  if (tried.some(({ faults }) => faults.length === 0)) return
  const others = tried.filter(({ branch }) => branch.type !== 'null')
  const [best] = others.sort((a, b) => weight(a.faults, at) - weight(b.faults, at))
  const isNullable = others.length < tried.length
  for (const { pointer, detail } of best?.faults ?? []) {
    const isWhole = isNullable && pointer === at.pointer
    at.faults.push({ pointer, detail: isWhole ? `${detail}, or null` : detail })
  }
}

/** A branch that is of another type altogether fits worse than one with faulty fields. */
function weight(faults: readonly FieldFault[], { pointer }: At): number {
  return faults.length + (faults.some(fault => fault.pointer === pointer) ? faultsMax : 0)
}

const nameCharactersMax = 200

/** The JSON pointer of a field, fit to be shown. */
export function below(pointer: string, name: string): string {
  const shown = [...name.toWellFormed()].slice(0, nameCharactersMax).join('')
  const escaped = shown.replaceAll('~', '~0').replaceAll('/', '~1')
  return `${pointer}/${escaped.replaceAll('\0', '\ufffd')}`
}
