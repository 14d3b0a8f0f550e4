// A field that is there only where there is something to say.

/** An object with this field, or without it where the value is undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  const pair: { [P in K]?: V } = {}
  return value === undefined ? pair : { ...pair, [key]: value }
}
