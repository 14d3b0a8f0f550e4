// Finds text in request schemas that is not of a shared type of src/domain/kernel/text.ts.
import type { Shape } from '../../src/commands/core/fieldFaults.ts'
import { textFormats } from '../../src/domain/kernel/text.ts'

const formats: readonly string[] = [...textFormats, 'date', 'date-time', 'binary']

/** Where in a schema text is taken that has no bound, or no form. */
export function looseText(schema: Shape, where: string): string[] {
  const { type, properties = {}, items, anyOf = [] } = schema
  const isLoose = type === 'string' && !isBounded(schema)
  return [
    ...(isLoose ? [where] : []),
    ...Object.entries(properties).flatMap(([name, field]) => looseText(field, `${where}/${name}`)),
    ...(items === undefined ? [] : looseText(items, `${where}[]`)),
    ...anyOf.flatMap(branch => looseText(branch, where)),
  ]
}

function isBounded(schema: Shape): boolean {
  const { format, pattern = '', maxLength } = schema
  if (schema.enum !== undefined || 'const' in schema) return true
  const hasForm = pattern.startsWith('^') && pattern.endsWith('$')
  return maxLength !== undefined && (formats.includes(format ?? '') || hasForm)
}
