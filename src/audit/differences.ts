// What differs between two values of JSON, place by place.

export interface Difference {
  /** A JSON pointer (RFC 6901). */
  pointer: string
  /** Not there: it was added, or is gone. */
  from?: unknown
  to?: unknown
}

/** The differences, in the order of their names; of lists, by place. */
export function differences(from: unknown, to: unknown, pointer = ''): Difference[] {
  if (Object.is(from, to)) return []
  const [before, after] = [fieldsOf(from), fieldsOf(to)]
  if (before === undefined || after === undefined || Array.isArray(from) !== Array.isArray(to)) {
    return [{ pointer, ...valueFor('from', from), ...valueFor('to', to) }]
  }
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names].flatMap(name =>
    differences(before.get(name), after.get(name), `${pointer}/${escaped(name)}`),
  )
}

function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return new Map(Object.entries(value))
}

function valueFor(name: 'from' | 'to', value: unknown): Partial<Record<'from' | 'to', unknown>> {
  return value === undefined ? {} : { [name]: value }
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
