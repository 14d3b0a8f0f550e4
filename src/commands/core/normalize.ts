// Brings what a request holds into one form before it is checked: text trimmed, parameters read.
import { depthMax, isStorable, normalizeText } from '../../domain/kernel/text.ts'
import { below, type FieldFault, notStorable, type Shape } from './fieldFaults.ts'

/** A value with its free text trimmed and its countries in upper case; the same where none is. */
export function normalize(shape: Shape, value: unknown): unknown {
  if (typeof value === 'string') return normalizeText(formatOf(shape), value)
  // JSON has -0, which equals 0 and is not the same.
  if (value === 0) return 0
  if (typeof value !== 'object' || value === null) return value
  const fitting = shape.anyOf?.find(({ type }) => type === 'object' || type === 'array') ?? shape
  if (Array.isArray(value)) return mapItems(value, fitting.items)
  return mapFields(value, fitting.properties)
}

function formatOf({ format, anyOf }: Shape): string | undefined {
  return format ?? anyOf?.find(branch => branch.type === 'string')?.format
}

function mapItems(items: readonly unknown[], shape: Shape | undefined): readonly unknown[] {
  if (shape === undefined) return items
  const mapped = items.map(item => normalize(shape, item))
  return mapped.every((item, index) => Object.is(item, items[index])) ? items : mapped
}

/** Digests are of the normalized value: its fields keep their order. */
function mapFields(fields: object, shapes: Readonly<Record<string, Shape>> | undefined): object {
  if (shapes === undefined) return fields
  const given: Readonly<Record<string, unknown>> = { ...fields }
  const changed: [string, unknown][] = []
  for (const [name, shape] of Object.entries(shapes)) {
    if (!Object.hasOwn(given, name)) continue
    const mapped = normalize(shape, given[name])
    if (!Object.is(mapped, given[name])) changed.push([name, mapped])
  }
  return changed.length === 0 ? fields : { ...fields, ...Object.fromEntries(changed) }
}

/** The fields because of which a value is not storable. */
export function findUnstorable(value: unknown, pointer = '', depth = 0): FieldFault[] {
  if (typeof value === 'string') {
    return isStorable(value) ? [] : [{ pointer, detail: notStorable }]
  }
  if (typeof value !== 'object' || value === null) return []
  if (depth === depthMax) return [{ pointer, detail: 'is nested too deeply' }]
  return Object.entries(value).flatMap(([name, field]) => [
    ...(isStorable(name) ? [] : [{ pointer, detail: 'has a field whose name is not text' }]),
    ...findUnstorable(field, below(pointer, name), depth + 1),
  ])
}

const wholeNumber = /^-?\d{1,16}$/
const truths: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false }

/** Path or query parameters as what their schemas want; those that do not fit stay text. */
export function readParameters(shape: Shape, parameters: unknown): unknown {
  if (typeof parameters !== 'object' || parameters === null) return parameters
  const { properties = {} } = shape
  const read = Object.entries(parameters).map(([name, text]) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    return [name, property === undefined ? text : readParameter(property, text)]
  })
  return Object.fromEntries(read)
}

function readParameter(shape: Shape, text: unknown): unknown {
  if (shape.type === 'array') {
    const items = Array.isArray(text) ? text : [text]
    return items.map(item => readParameter(shape.items ?? {}, item))
  }
  if (typeof text !== 'string') return text
  if (shape.type === 'integer' || shape.type === 'number') {
    return wholeNumber.test(text) ? Number(text) : text
  }
  return shape.type === 'boolean' && Object.hasOwn(truths, text) ? truths[text] : text
}
