// Values that fit a TypeBox schema, for property tests.
import fc from 'fast-check'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { ImageHash } from '../../src/domain/catalogue/image.ts'
import { Id } from '../../src/domain/kernel/types.ts'

export interface Pools {
  /** Where ids come from: a small pool makes them meet. Without it, every id is possible. */
  ids?: readonly string[]
}

/** Values of a schema; every one of them passes its check. Throws for kinds it does not know. */
export function valuesOf<Schema extends TSchema>(
  schema: Schema,
  pools: Pools = {},
): fc.Arbitrary<Static<Schema>> {
  let compiled: ReturnType<typeof Compile<Schema>> | undefined
  const check = (value: unknown): value is Static<Schema> => {
    compiled ??= Compile(schema)
    return compiled.Check(value)
  }
  return build(schema, pools).filter(check)
}

/** What a schema says as plain JSON Schema. */
interface Shape {
  type?: string
  properties?: Readonly<Record<string, Shape>>
  required?: readonly string[]
  items?: Shape
  maxItems?: number
  anyOf?: readonly Shape[]
  enum?: readonly unknown[]
  minimum?: number
  maximum?: number
  pattern?: string
  format?: string
  minLength?: number
  maxLength?: number
}

const { pattern: idPattern }: Shape = Id
const { pattern: hashPattern }: Shape = ImageHash

function build(schema: Shape, pools: Pools): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) {
    return fc.oneof(...schema.anyOf.map(option => build(option, pools)))
  }
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'object':
      return objects(schema, pools)
    case 'array':
      return fc.array(build(schema.items ?? {}, pools), {
        maxLength: schema.maxItems ?? 4,
        size: '-1',
      })
    case 'string':
      return strings(schema, pools)
    case 'integer':
      return integers(schema)
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      throw new Error(`no values for ${JSON.stringify(schema)}`)
  }
}

function objects({ properties = {}, required = [] }: Shape, pools: Pools) {
  const fields = Object.entries(properties).map(([name, field]) => [name, build(field, pools)])
  const model: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(fields)
  return fc.record(model, { requiredKeys: [...required], noNullPrototype: true })
}

/** The limits themselves come up often: mistakes live there. */
function integers({ minimum, maximum }: Shape) {
  const min = minimum ?? Number.MIN_SAFE_INTEGER
  const max = maximum ?? Number.MAX_SAFE_INTEGER
  return fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max))
}

const days = fc.date({
  min: new Date('0001-01-02T00:00:00Z'),
  max: new Date('9999-12-30T00:00:00Z'),
  noInvalidDate: true,
})

/** Random text is none of these, and a generator that waits for one never ends. */
const formats: Readonly<Record<string, fc.Arbitrary<string>>> = {
  date: days.map(day => day.toISOString().slice(0, 10)),
  'date-time': days.map(day => day.toISOString()),
  country: fc.constantFrom('GB', 'DE', 'US', 'fr'),
}

function strings({ pattern, format = '', minLength = 0, maxLength = 40 }: Shape, { ids }: Pools) {
  const known = formats[format]
  if (known !== undefined) return known
  if (pattern !== undefined && pattern === idPattern && ids !== undefined) {
    return fc.constantFrom(...ids)
  }
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern))
  return fc.oneof(
    // The log takes no NUL: the database could not hold it.
    fc.string({ minLength, maxLength, unit: 'binary' }).filter(text => !text.includes('\0')),
    fc.string({ minLength, maxLength, unit: 'grapheme-ascii' }),
    fc.constant('\u{1F56F}'.repeat(maxLength)),
  )
}

/** One value of a schema, always the same one, with everything in it that may be in it. */
export function exampleOf(schema: TSchema): object {
  const example = exampleFor(schema, 'value')
  if (typeof example === 'object' && example !== null && Value.Check(schema, example)) {
    return example
  }
  throw new Error(`no example for ${JSON.stringify(schema)}`)
}

function exampleFor(schema: Shape, name: string): unknown {
  if (schema.anyOf !== undefined) return exampleFor(schema.anyOf[0] ?? {}, name)
  if (schema.enum !== undefined) return schema.enum[0]
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {})
      return Object.fromEntries(fields.map(([field, inner]) => [field, exampleFor(inner, field)]))
    }
    case 'array':
      return [exampleFor(schema.items ?? {}, name)]
    case 'integer':
      return Math.min(Math.max(schema.minimum ?? 12, 12), schema.maximum ?? 12)
    case 'string':
      return exampleText(schema, name)
    default:
      return schema.type === 'boolean' ? true : null
  }
}

function exampleText({ pattern, maxLength = 40 }: Shape, name: string): string {
  if (pattern === idPattern) return `01980000-0000-7000-8000-${asDigits(name)}`
  if (pattern === hashPattern) return 'ab'.repeat(32)
  return pattern === undefined ? `some ${name}, naïve €`.slice(0, maxLength) : 'GBP'
}

function asDigits(name: string): string {
  return Buffer.from(name).toString('hex').slice(0, 12).padStart(12, '0')
}
