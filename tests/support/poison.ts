// Values that break careless servers, for every place of every request.

/** For parameters: as they stand in an address, already encoded or broken on purpose. */
export const poisonParameters = [
  '',
  '%20%20',
  '%00',
  'a%00b',
  '%ED%A0%80',
  '%C0%AF',
  '%E2%80%A8',
  '%E2%80%AEabc',
  '-0',
  '-1',
  '0x10',
  '1e309',
  '1.5',
  'NaN',
  '9007199254740993',
  '9223372036854775808',
  '9'.repeat(40),
  '2026-06-30T23:59:60Z',
  '2026-02-30',
  '0000-01-01',
  '0000-01-01T00:00:00Z',
  '%2B275760-09-13T00:00:01Z',
  '9999-12-31T23:59:59-23:59',
  '2026-01-01T00:00:00%2B24:00',
  '10000-01-01T00:00:00Z',
  '__proto__',
  "'%3B--",
  'x'.repeat(5_000),
]

/** For fields of bodies, as JSON text: some of these are no value that JavaScript could write. */
export const poisonJson = [
  '""',
  '"   "',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u2028"',
  '"\\u202eabc"',
  '"\\u0007"',
  '"\\ufdfa"',
  `"${'\\u0301'.repeat(3_000)}"`,
  `"${'\ufdfa'.repeat(200)}"`,
  `"${'ß'.repeat(64)}"`,
  `"${'x'.repeat(60_000)}"`,
  '-0',
  '-1',
  '0.5',
  '1e309',
  '9007199254740993',
  '9223372036854775808',
  '"2026-06-30T23:59:60Z"',
  '"0000-01-01"',
  '"9999-12-31"',
  'null',
  'true',
  '[]',
  '{}',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  '{"__proto__":1}',
]

/** The places of a JSON value: of every field, of fields inside, and of items. */
export function placesOf(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at]
  const inside = Object.entries(value).flatMap(([name, field]) => placesOf(field, [...at, name]))
  return [at, ...inside]
}

/** A JSON value as text, with another text in one place. */
export function jsonWith(value: unknown, place: readonly string[], text: string): string {
  const [name, ...rest] = place
  if (name === undefined) return text
  if (Array.isArray(value)) {
    const items = value.map((item, index) =>
      String(index) === name ? jsonWith(item, rest, text) : JSON.stringify(item),
    )
    return `[${items.join()}]`
  }
  const fields = Object.entries(Object(value)).map(([field, inner]) => {
    const json = field === name ? jsonWith(inner, rest, text) : JSON.stringify(inner)
    return `${JSON.stringify(field)}:${json}`
  })
  return `{${fields.join()}}`
}
