// Nothing that goes in or comes out is without a bound: the OpenAPI document, walked to its ends.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation, Schema } from '../support/apiContract.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let operations: { name: string; operation: Operation }[] = []
beforeAll(async () => {
  app = await startTestApp({ workers: false })
  operations = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )
})
afterAll(() => app?.close())

const has = (schema: Schema, ...keywords: string[]) =>
  keywords.some(keyword => schema[keyword] !== undefined)

/** What is unbounded about one schema by itself. */
function looseness(schema: Schema): string[] {
  const { type } = schema
  const isNumber = type === 'integer' || type === 'number'
  const isChosen = has(schema, 'enum', 'const')
  const [low, high] = [
    has(schema, 'minimum', 'exclusiveMinimum'),
    has(schema, 'maximum', 'exclusiveMaximum'),
  ]
  if (type === 'string' && !isChosen && !has(schema, 'maxLength', 'format')) return ['a string']
  if (isNumber && !isChosen && !(low && high)) return ['a number']
  if (type === 'array' && !has(schema, 'maxItems')) return ['an array']
  if (type === 'object' && !has(schema, 'additionalProperties')) return ['an object']
  return []
}

/** Every loose schema in a value, with where it is. */
function looseIn(value: unknown, where: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  const here: Schema = Object.fromEntries(Object.entries(value))
  const inside = Object.entries(here).flatMap(([key, child]) => looseIn(child, `${where}/${key}`))
  const isSchema = typeof here.type === 'string'
  const faults = isSchema ? looseness(here).map(what => `${where}: ${what}`) : []
  return [...faults, ...inside]
}

/** Objects in there that take fields which they do not name. */
function openObjects(value: unknown, where: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  const here: Schema = Object.fromEntries(Object.entries(value))
  const inside = Object.entries(here).flatMap(([key, child]) => {
    return openObjects(child, `${where}/${key}`)
  })
  const isOpen = here.type === 'object' && here.additionalProperties !== false
  return isOpen ? [where, ...inside] : inside
}

/** Schemas that say nothing at all. */
function saysNothing(schema: Schema | undefined): boolean {
  return schema === undefined || !has(schema, 'type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf')
}

describe('what is sent', () => {
  it('is bounded to its last field, by path, query, header and body', () => {
    const loose = operations.flatMap(({ name, operation }) => [
      ...looseIn(operation.requestBody, `${name} body`),
      ...looseIn(operation.parameters, `${name} parameters`),
    ])
    expect(loose).toEqual([])
  })

  it('has no field that its route does not name', () => {
    const open = operations.flatMap(({ name, operation }) => {
      return openObjects(operation.requestBody, name)
    })
    expect(open).toEqual([])
  })

  it('is of a known kind', () => {
    const vague = operations.flatMap(({ name, operation }) => {
      const parameters = (operation.parameters ?? []).map(({ schema }) => schema)
      const bodies = Object.values(operation.requestBody?.content ?? {}).map(each => each.schema)
      return [...parameters, ...bodies].some(saysNothing) ? [name] : []
    })
    expect(vague).toEqual([])
  })
})

/** What goes on as long as its reader wants: each of its lines is bounded, they are not. */
const streams = ['text/event-stream', 'application/x-ndjson']

describe('what comes back', () => {
  it('has a schema for every status that is declared, and no other', () => {
    const lacking = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses).flatMap(([status, { content }]) => {
        const schemas = Object.values(content ?? {}).map(({ schema }) => schema)
        const isEmpty = status === '204' && schemas.length === 0
        const isFull = status !== '204' && schemas.length > 0 && !schemas.some(saysNothing)
        return isEmpty || isFull ? [] : [`${name} ${status}`]
      }),
    )
    expect(lacking).toEqual([])
  })

  it('is bounded, and an object that may hold more than it names says so', () => {
    const loose = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses).flatMap(([status, { content }]) =>
        Object.entries(content ?? {})
          .filter(([type]) => !streams.includes(type))
          .flatMap(([, { schema }]) => looseIn(schema, `${name} ${status}`)),
      ),
    )
    expect(loose).toEqual([])
  })
})

describe('every route', () => {
  it('says who may use it, and asks for a token unless that is everybody', () => {
    const silent = operations.filter(({ operation }) => {
      const { security } = operation
      const access = operation['x-access']
      const isOpen = security?.some(way => Object.keys(way).length === 0) ?? false
      if (access === 'public') return security === undefined
      return access === undefined || access.length === 0 || isOpen || security?.length !== 1
    })
    expect(silent.map(({ name }) => name)).toEqual([])
    expect(operations.length).toBeGreaterThan(70)
  })
})

describe('the walk', () => {
  it.each([
    [{ type: 'string' }, 'a string'],
    [{ type: 'string', pattern: '^a' }, 'a string'],
    [{ type: 'integer', minimum: 0 }, 'a number'],
    [{ type: 'number', maximum: 0 }, 'a number'],
    [{ type: 'array', items: {} }, 'an array'],
    [{ type: 'object' }, 'an object'],
  ])('finds in %j %s', (schema, what) => {
    const nested = { content: { a: { schema: { anyOf: [{ type: 'null' }, schema] } } } }
    expect(looseIn(nested, '')).toEqual([`/content/a/schema/anyOf/1: ${what}`])
  })
})
