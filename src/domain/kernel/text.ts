// Text that comes from outside: one set of types for every request, import row and message. Such
// text is trimmed, well-formed Unicode without control characters, and bounded.
import Type, { type TSchemaOptions } from 'typebox'
import Format from 'typebox/format'
import { countryCodes } from './countries.ts'

/** Formats of free text; `normalizeText` trims all of them but secrets. */
export const textFormats = ['line', 'multiline', 'name', 'sku', 'secret', 'country'] as const
type TextFormat = (typeof textFormats)[number]

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, but for tab and line breaks
const controlsInLines = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/

/** Whether the database can hold a text: it has neither lone surrogates nor NUL. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** A letter, digit, sign or mark: neither white space nor an invisible formatting character. */
const visible = /[^\p{Z}\p{Cf}\s]/u

const isShown = (text: string) => text === '' || visible.test(text)

/** The deepest nesting of a request that is accepted. */
export const depthMax = 50

/**
 * Whether the database can hold every string of a value, wherever it is: checked in addition
 * to the schemas, and also in fields that no schema names.
 */
export function isAllStorable(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth === depthMax) return false
  for (const [name, field] of Object.entries(value)) {
    if (!isStorable(name) || !isAllStorable(field, depth + 1)) return false
  }
  return true
}

/** A text from elsewhere cut to a length, with replacement characters for what cannot be kept. */
export function cutText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).toWellFormed().replaceAll('\0', '\ufffd')
}

const checks: Readonly<Record<TextFormat, (text: string) => boolean>> = {
  line: text => text.isWellFormed() && !controls.test(text) && isShown(text),
  multiline: text => text.isWellFormed() && !controlsInLines.test(text) && isShown(text),
  name: text => checks.line(text) && [...normalizeName(text)].length <= nameMax,
  sku: text => checks.line(text),
  secret: isStorable,
  country: text => countryCodes.has(text),
}
for (const format of textFormats) Format.Set(format, checks[format])
Format.Set('date-time', isInstant)
Format.Set('date', isDay)

const nameMax = 200

interface TextOptions extends TSchemaOptions {
  /** 1 unless said otherwise: required text is never empty. */
  minLength?: number
}

/**
 * JSON Schema counts graphemes in this library, and one grapheme may have any number of code
 * points: a name of 200 graphemes can be too long for an index. The pattern counts code points.
 */
function free(format: TextFormat, maxLength: number, options: TextOptions) {
  const pattern = `^[\\s\\S]{0,${maxLength}}$`
  return Type.String({ minLength: 1, ...options, maxLength, pattern, format })
}

/** Text of one line, trimmed. */
export function line(maxLength: number, options: TextOptions = {}) {
  return free('line', maxLength, options)
}

/** Text that may have line breaks and tabs, trimmed. */
export function multiline(maxLength: number, options: TextOptions = {}) {
  return free('multiline', maxLength, options)
}

/** A password or token: kept exactly as it was sent. */
export function secret(maxLength: number, options: TextOptions = {}) {
  return free('secret', maxLength, options)
}

/** The name of a product or a category. */
export const Name = free('name', nameMax, {})
/** A stock keeping unit; lower case is accepted and becomes upper case. */
export const SkuText = free('sku', 64, {})

/** Text of a fixed form. `is` completes the sentence "must be …". */
export function code(pattern: string, maxLength: number, is: string) {
  return Type.String({ pattern, maxLength, description: is })
}

/** An ISO 3166-1 alpha-2 code; lower case is accepted and becomes upper case. */
export const CountryCode = Type.String({
  format: 'country',
  minLength: 2,
  maxLength: 2,
  description: 'A country as an ISO 3166-1 alpha-2 code, such as GB',
})

const dayForm = /^(\d{4})-(\d\d)-(\d\d)$/
const instantForm = /^(\d{4}-\d\d-\d\d)[Tt]([\d:]{8})(?:\.\d{1,9})?(?:[Zz]|[+-]([\d:]{5}))$/
const timeForm = /^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?$/

/** Whether the calendar has this day, from the year 1 to 9999. */
export function isDay(text: string): boolean {
  const [, year, month, day] = dayForm.exec(text)?.map(Number) ?? []
  if (year === undefined || month === undefined || day === undefined) return false
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return [4, 6, 9, 11].includes(month) ? 30 : 31
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
}

/**
 * Whether a text is a time as in RFC 3339 that both Date and the database know: leap seconds are
 * not, and the first and last day of the calendar have no room for offsets.
 */
export function isInstant(text: string): boolean {
  const [, day = '', time = '', offset = '00:00'] = instantForm.exec(text) ?? []
  const isWithin = isDay(day) && day > '0001-01-01' && day < '9999-12-31'
  return isWithin && timeForm.test(time) && timeForm.test(offset)
}

/** A text as it is stored: trimmed where its format is one of free text, else unchanged. */
export function normalizeText(format: unknown, text: string): string {
  if (format === 'line' || format === 'multiline') return text.trim()
  // Names are copied from documents that break lines.
  if (format === 'name') return text.trim().replace(/\s*[\t\r\n]\s*/g, ' ')
  return format === 'country' || format === 'sku' ? text.trim().toUpperCase() : text
}

/** Names that differ only in case or spaces are the same name. */
export function normalizeName(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()
}
