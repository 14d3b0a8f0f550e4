// No route takes text that is not of a shared type: a shop with such a route does not start.

import type { Shape } from '../commands/fieldFaults.ts'
import { textFormats } from '../domain/text.ts'

const parts = ['params', 'querystring', 'headers', 'body'] as const
const formats: readonly string[] = [...textFormats, 'date', 'date-time', 'binary']

/** Throws where a route takes text without a bound, or text of any form at all. */
export function refuseLooseText(route: { url: string; schema?: object | undefined }): void {
  const schemas = new Map<string, unknown>(Object.entries(route.schema ?? {}))
  for (const part of parts) {
    const [loose] = looseText(schemas.get(part) ?? {}, part)
    if (loose !== undefined) {
      throw new Error(`${route.url} takes text of any form in ${loose}: use a type of text.ts`)
    }
  }
}

/** Where in a schema text is taken that is not of a shared type. */
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
  const hasForm =
    formats.includes(format ?? '') || (pattern.startsWith('^') && pattern.endsWith('$'))
  return hasForm && maxLength !== undefined
}
