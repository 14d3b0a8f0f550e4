// Nonsense for every route, made from its own schemas: never a 5xx, always an answer as declared.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import Type, { type TSchema } from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation, Schema } from '../support/apiContract.ts'
import { valuesOf } from '../support/arbitrary.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

const cases = Number(process.env.FUZZ_CASES ?? 15)
const seed = Number(process.env.PROPERTY_SEED ?? 20_110_809)

/** Not to be fuzzed: it never ends, or ends the session that the others need. */
const spared = ['followOrders', 'logOut', 'eraseProfile', 'endSession', 'ChangeUser']

interface Route {
  name: string
  method: string
  path: string
  operation: Operation
}

interface Wild {
  path: Record<string, unknown>
  query: Record<string, unknown>
  body: unknown
}

let app: TestApp
let routes: Route[] = []
let ids: string[] = []
beforeAll(async () => {
  app = await startTestApp({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  const product = await newProduct(app, { stock: 1_000_000 })
  const order = await newOrder(app.admin, product.id)
  ids = [product.id, order.body.id, app.admin.id, randomUUID()]
  routes = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
})
afterAll(() => app?.close())

const injections = [
  "' or 1=1 --",
  "'; select pg_sleep(5); --",
  '$(sleep 5)',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '../../etc/passwd',
  '\r\nBcc: everybody@example.com',
  '=cmd|calc',
  '\u0000',
  '\ud800',
  'a'.repeat(5_000),
  '__proto__',
  '%00',
  '%',
  '\\',
  '-0',
  '1e309',
  '9007199254740993',
]

const junk = fc.oneof(
  fc.constantFrom<unknown>(...injections, null, true, -1, 0.5, 1e21, [], {}, [[]]),
  fc.json({ maxDepth: 3 }).map((text): unknown => JSON.parse(text)),
)

/** Fits the schema where we know how to make it fit, and is anything at all where not. */
function fitting(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  try {
    return valuesOf(Type.Unsafe<unknown>(plain(schema)), { ids: known })
  } catch {
    return junk
  }
}

function plain(schema: Schema): TSchema {
  return JSON.parse(JSON.stringify(schema))
}

/** One field is something else, is gone, or is one too many. */
function mutated(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(value, junk, fc.nat()).map(([whole, wrong, which]) => {
    if (typeof whole !== 'object' || whole === null) return wrong
    const names = [...Object.keys(whole), 'surplus']
    const name = names[which % names.length] ?? 'surplus'
    return { ...whole, [name]: wrong }
  })
}

const wildly = (value: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { arbitrary: value, weight: 3 },
    { arbitrary: mutated(value), weight: 3 },
    { arbitrary: junk, weight: 1 },
  )

function requestsFor({ operation }: Route): fc.Arbitrary<Wild> {
  // Everybody may be erased but whoever asks: nobody would be left to ask.
  const isErasure = operation.operationId === 'erasePerson'
  const known = ids.filter(id => !isErasure || id !== app.admin.id)
  const of = (where: string) => {
    const declared = (operation.parameters ?? []).filter(each => each.in === where)
    const model = declared.map(({ name, schema = {} }) => {
      const value = fitting(schema, known)
      return [name, fc.oneof({ arbitrary: value, weight: 5 }, { arbitrary: junk, weight: 1 })]
    })
    const required = where === 'path' ? {} : { requiredKeys: [] }
    const built: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(model)
    return fc.record(built, { ...required, noNullPrototype: true })
  }
  const schema = operation.requestBody?.content['application/json']?.schema
  const body = schema === undefined ? fc.constant(undefined) : wildly(fitting(schema, known))
  return fc.record({ path: of('path'), query: of('query'), body })
}

function encoded(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return encodeURIComponent(text.toWellFormed()).slice(0, 4_000).replace(/%.?$/, '') || '-'
}

const leaks = /\bat .+\.ts:\d+|node_modules|select .+ from|syntax error|\/src\/|ECONN|pg_/i

async function send(route: Route, wild: Wild): Promise<void> {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(wild.path[name]))
  const query = Object.entries(wild.query).map(([name, value]) => `${name}=${encoded(value)}`)
  const target = `/${path}${query.length > 0 ? `?${query.join('&')}` : ''}`
  const client = app.admin.client
  const body = wild.body === undefined ? undefined : JSON.stringify(wild.body)
  const ways: Record<string, typeof client.post> = {
    GET: path => client.get(path),
    POST: client.post,
    PUT: client.put,
    PATCH: client.patch,
    DELETE: client.delete,
  }
  const answer = await ways[route.method]?.(target, body)
  if (answer === undefined) throw new Error(`no way to ${route.method}`)
  if (answer.status >= 400) expect(JSON.stringify(answer.body.detail)).not.toMatch(leaks)
}

describe('every route', () => {
  it(
    'answers whatever it is sent as it declares, and never with a 5xx',
    async () => {
      const wrong: string[] = []
      for (const route of routes) {
        const { operationId = '' } = route.operation
        if (spared.includes(operationId) || route.path.endsWith('/notifications')) continue
        const property = fc.asyncProperty(requestsFor(route), wild => send(route, wild))
        // Hashing a password takes a quarter of a second, on purpose.
        const numRuns = /auth\/(login|register|password|profile)/.test(route.path)
          ? cases / 5
          : cases
        const details = await fc.check(property, { numRuns, seed, endOnFailure: true })
        // Without its session nothing but refusals would be seen of all other routes.
        const { status } = await app.admin.client.get('/auth/profile')
        if (status !== 200) throw new Error(`${route.name} has ended the session of the test`)
        if (!details.failed) continue
        const [counterexample] = details.counterexample ?? []
        const what = JSON.stringify(counterexample)?.slice(0, 600)
        wrong.push(`${route.name}: ${String(details.errorInstance).slice(0, 600)}\n  for ${what}`)
      }
      expect(wrong).toEqual([])
    },
    90_000 + cases * 5_000,
  )
})
