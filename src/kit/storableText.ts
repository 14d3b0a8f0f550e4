// Text that PostgreSQL cannot hold: NUL, and halves of surrogate pairs. A log can hold both.

const unholdable = /[\0\p{Surrogate}]/gu
/** What stands in its place: the sign that Unicode has for it. */
export const replacement = '\uFFFD'

/** A text as PostgreSQL can hold it. */
export function storableText(text: string): string {
  return isStorableValue(text) ? text : text.replace(unholdable, replacement)
}

/** Whether PostgreSQL can hold every text in a value. Names of fields are ours. */
export function isStorableValue(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  for (const inner of Object.values(value)) if (!isStorableValue(inner)) return false
  return true
}

/** A copy of plain data with every text as PostgreSQL can hold it. */
export function storableValue<T extends object>(value: T): T {
  const copy = structuredClone(value)
  replaceIn(copy)
  return copy
}

function replaceIn(within: object): void {
  for (const [key, inner] of Object.entries(within)) {
    if (typeof inner === 'string') Reflect.set(within, key, storableText(inner))
    else if (typeof inner === 'object' && inner !== null) replaceIn(inner)
  }
}
