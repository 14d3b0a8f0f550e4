// Where payloads hold text about people, read off their schemas.
import type { TSchema } from 'typebox'

type Shape = TSchema & {
  personal?: boolean
  properties?: Record<string, Shape>
  anyOf?: Shape[]
  items?: Shape
}

/**
 * The paths of the personal fields of a payload. Throws where one is inside a list, which has no
 * path: it could not be sealed.
 */
export function personalPaths(schema: Shape, path: readonly string[] = []): string[][] {
  if (schema.personal === true) return [[...path]]
  if (schema.items !== undefined && personalPaths(schema.items).length > 0) {
    throw new Error('personal fields sit in objects, not in lists')
  }
  const inside = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    personalPaths(property, [...path, name]),
  )
  return [...inside, ...(schema.anyOf ?? []).flatMap(option => personalPaths(option, path))]
}

/** The personal text of a payload by path, with slashes between names. */
export function personalTexts(
  data: object,
  paths: readonly (readonly string[])[],
): Record<string, string> {
  const found: Record<string, string> = {}
  for (const path of paths) {
    let value: unknown = data
    for (const name of path) {
      value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
    }
    if (typeof value === 'string') found[path.join('/')] = value
  }
  return found
}

/** A copy of a payload with some of its fields set, by path. */
export function withTexts(
  data: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...data }
  for (const [path, value] of Object.entries(fields)) {
    const names = path.split('/')
    const last = names.pop()
    let at = copy
    for (const name of names) {
      const before = at[name]
      const inner: Record<string, unknown> = typeof before === 'object' ? { ...before } : {}
      at[name] = inner
      at = inner
    }
    if (last !== undefined) at[last] = value
  }
  return copy
}
