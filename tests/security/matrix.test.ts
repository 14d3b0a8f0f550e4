// Who may do what to whose: every route × everybody × one's own, another's, nothing, nonsense.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../support/apiContract.ts'
import { everybody, type Persona } from '../support/personas.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { type Row, rows, type Things, thingsOf } from './matrixRows.ts'

interface Route {
  name: string
  method: string
  path: string
  access: 'public' | readonly string[]
}

const kinds = ['own', 'other', 'random', 'malformed'] as const
type Kind = (typeof kinds)[number]

let app: TestApp
let personas: Persona[] = []
let routes: Route[] = []
let things: Things
beforeAll(async () => {
  app = await startTestApp({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  personas = await everybody(app)
  things = await thingsOf(app)
  routes = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => routeOf(method, path, operation)),
  )
}, 60_000)
afterAll(() => app?.close())

function routeOf(method: string, path: string, operation: Operation): Route {
  const access = operation['x-access']
  if (access === undefined) throw new Error(`${method} ${path} does not say who may use it`)
  return { name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, access }
}

const mayUse = ({ access }: Route, { roles }: Persona) =>
  access === 'public' || roles.some(role => access.includes(role))

/** 'done' stands for every answer of somebody who was let through to what there is. */
function expected(route: Route, row: Row, persona: Persona, kind: Kind): number | 'done' {
  const isUnknown = persona.roles.length === 0
  if (isUnknown && (persona.token !== undefined || route.access !== 'public')) return 401
  if (!mayUse(route, persona)) return 403
  if (row.of === undefined) return 'done'
  if (kind === 'malformed') return 400
  if (kind === 'random') return row.idempotent ? 'done' : 404
  if (kind === 'other' && row.over !== undefined) {
    return persona.roles.some(role => row.over?.includes(role)) ? 'done' : 404
  }
  return 'done'
}

async function idOf(row: Row, persona: Persona, kind: Kind, isReached: boolean): Promise<string> {
  if (kind === 'malformed') return 'not-an-id'
  if (kind === 'random' || row.of === undefined) return randomUUID()
  if (!isReached) return things.standing[row.of]
  const owner = kind === 'own' ? (persona.person ?? app.admin) : things.third
  return things.make[row.of](owner)
}

interface Asked {
  status: number
  /** Without what differs each time. */
  text: string
}

async function ask(route: Route, row: Row, token: string | undefined, id: string): Promise<Asked> {
  const path = route.path
    .replace(/\{\w+\}/, id)
    .replace(/\{(\w+)\}/g, (_, name: string) => row.more?.[name] ?? randomUUID())
  const body = row.body?.(things, id)
  const wants = (header: string) => app.contract.requires(route.method, path, header)
  const aborting = new AbortController()
  const response = await fetch(`${app.url}${path}${row.query ?? ''}`, {
    method: route.method,
    signal: aborting.signal,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(wants('idempotency-key') ? { 'idempotency-key': randomUUID() } : {}),
      ...(wants('if-match') ? { 'if-match': '*' } : {}),
      ...(body === undefined || body instanceof FormData
        ? {}
        : { 'content-type': row.type ?? 'application/json' }),
    },
    ...(body === undefined
      ? {}
      : {
          body: typeof body === 'string' || body instanceof FormData ? body : JSON.stringify(body),
        }),
  })
  const { status } = response
  const isEndless = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const text = isEndless ? '' : await response.text()
  if (isEndless) aborting.abort()
  return { status, text: text.replace(/"requestId":"[^"]*"/, '') }
}

function isAsExpected(row: Row, wanted: number | 'done', status: number): boolean {
  if (wanted !== 'done') return status === wanted
  const isDone = status >= 200 && status < 300
  return isDone || status === 409 || row.may?.includes(status) === true
}

async function unexpectedCells(route: Route, row: Row): Promise<string[]> {
  const found: string[] = []
  for (const persona of personas) found.push(...(await unexpectedOf(route, row, persona)))
  return found
}

async function unexpectedOf(route: Route, row: Row, persona: Persona): Promise<string[]> {
  const found: string[] = []
  const missing = new Map<Kind, string>()
  for (const kind of row.of === undefined ? (['own'] as const) : kinds) {
    const wanted = expected(route, row, persona, kind)
    const isReached = wanted === 'done' || wanted === 404
    const id = await idOf(row, persona, kind, isReached)
    const token = row.disposable && wanted === 'done' ? await spare(persona) : persona.token
    const { status, text } = await ask(route, row, token, id)
    if (!isAsExpected(row, wanted, status)) {
      found.push(`${persona.name} × ${kind}: ${status}, not ${wanted}: ${text.slice(0, 200)}`)
    }
    if (status === 404 && row.over !== undefined) missing.set(kind, text.replaceAll(id, 'ID'))
  }
  const [other, random] = [missing.get('other'), missing.get('random')]
  if (other !== undefined && other !== random) {
    found.push(`${persona.name}: somebody else’s ${other} is not as what is missing ${random}`)
  }
  return found
}

/** Another one like that, for what ends a session or a person. */
async function spare(persona: Persona): Promise<string | undefined> {
  if (persona.person === undefined) return persona.token
  const [, ...roles] = persona.roles
  return (await app.person(...roles)).access
}

describe('every route', () => {
  it('has a row, and every row a route', () => {
    expect(Object.keys(rows).sort()).toEqual(routes.map(({ name }) => name).sort())
  })

  it.each(Object.entries(rows))(
    '%s lets in who may, and hides what is not theirs',
    async (name, row) => {
      const route = routes.find(each => each.name === name)
      if (route === undefined) throw new Error(`there is no ${name}`)
      expect(await unexpectedCells(route, row)).toEqual([])
    },
    60_000,
  )
})

describe('a body', () => {
  it.each(['role', 'roles', 'customerId', 'total', 'status', 'price', 'unitPrice'])(
    'cannot set %s by the way',
    async field => {
      const client = app.admin.client
      for (const [name, { body, of }] of Object.entries(rows)) {
        const [method = '', path = ''] = name.split(' ')
        const fields = body?.(things, of === undefined ? '' : things.standing[of])
        if (typeof fields !== 'object' || fields instanceof FormData || fields === null) continue
        if (field in fields || /status|users|products$|products\/\{\w+\}$/.test(path)) continue
        const target = path.slice('/api'.length).replace(/\{\w+\}/g, randomUUID())
        const send = { POST: client.post, PUT: client.put, PATCH: client.patch }[method]
        if (send === undefined) continue
        const answer = await send(target, { ...fields, [field]: 'admin' })
        expect([400, 403], `${name} with ${field}`).toContain(answer.status)
      }
    },
  )
})
