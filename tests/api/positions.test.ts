// Positions that callers send: waits are bounded and shared, and none may be beyond the log.

import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ApiContext } from '../../src/api/http/context.ts'
import { createPositions, type PositionWait } from '../../src/api/http/positions.ts'
import { awaitPosition } from '../../src/api/http/readYourWrites.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import type { Position } from '../../src/kit/position.ts'
import type { Client } from '../support/apiClient.ts'
import type { OpenApi } from '../support/apiContract.ts'
import { atOnce, expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { type Follower, followEvents, followSocket } from '../support/liveFeed.ts'
import { positionAt } from '../support/positions.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

/** A process whose projections run elsewhere; `at` is what its queries answer. */
function elsewhere() {
  const at = { position: positionAt(5), isAway: false, reads: 0, headReads: 0 }
  const positions = createPositions({
    async readPositions() {
      at.reads += 1
      if (at.isAway) throw new Error('away')
      return new Map([['orders', at.position]])
    },
    async readHead() {
      at.headReads += 1
      return positionAt(9)
    },
    progress: {
      positionOf: () => positionAt(0),
      nextStep: timeoutMs => new Promise(resolve => setTimeout(resolve, timeoutMs)),
    },
  })
  return { at, positions }
}

const wait = {
  projection: 'orders',
  wanted: positionAt(8),
  claimant: { by: 'ann', from: '::1', level: 1 },
}
/** The same wait of another caller each time, from an address of their own. */
const waitOf = (caller: number, level: number) => {
  return { ...wait, claimant: { by: `${level} ${caller}`, from: `10.0.${level}.${caller}`, level } }
}

describe('waits for a read model', () => {
  it('end when it gets there, all of them by the same few queries', async () => {
    const { at, positions } = elsewhere()
    const waiting = atOnce(400, () => positions.reached(wait))
    await positions.reached({ ...wait, wanted: positionAt(5) })
    at.position = positionAt(8)
    expect(await waiting).toEqual(Array.from({ length: 400 }, () => positionAt(8)))
    expect(at.reads).toBeLessThan(10)
  })

  it('end after two seconds at most, having cost one query per poll', async () => {
    const { at, positions } = elsewhere()
    const ended = await atOnce(400, () => positions.reached(wait))
    expect(new Set(ended)).toEqual(new Set([positionAt(5)]))
    expect(at.reads).toBeLessThan(2_000 / 20 + 10)
  })

  it('of strangers are few, which leaves room for everybody else', async () => {
    const { at, positions } = elsewhere()
    let caller = 0
    const strangers = atOnce(300, () => positions.reached(waitOf(caller++, 0)))
    await positions.reached({ ...wait, wanted: positionAt(5) })
    const signedIn = positions.reached(wait)
    await positions.reached({ ...wait, wanted: positionAt(5) })
    at.position = positionAt(8)
    expect((await strangers).filter(position => position === positionAt(8))).toHaveLength(100)
    expect(await signedIn).toBe(positionAt(8))
    // Places are free again once their waits have ended.
    at.position = positionAt(9)
    expect(await positions.reached({ ...waitOf(1, 0), wanted: positionAt(9) })).toBe(positionAt(9))
  })

  it('of one caller leave room for others, those of customers for the staff', async () => {
    const { at, positions } = elsewhere()
    const asked = () => new Promise(setImmediate)
    const own = atOnce(1_200, () => positions.reached(wait))
    await asked()
    const other = positions.reached(waitOf(1, 1))
    await asked()
    let caller = 1
    const crowd = atOnce(600, () => positions.reached(waitOf(++caller, 1)))
    await asked()
    const staff = positions.reached(waitOf(1, 2))
    await asked()
    at.position = positionAt(8)
    expect((await own).filter(position => position === positionAt(8))).toHaveLength(450)
    expect(await other).toBe(positionAt(8))
    expect((await crowd).filter(position => position === positionAt(8))).toHaveLength(449)
    expect(await staff).toBe(positionAt(8))
  })

  it('fail together when the database is away, and work again afterwards', async () => {
    const { at, positions } = elsewhere()
    const waiting = Array.from({ length: 20 }, () => positions.reached(wait))
    await positions.reached({ ...wait, wanted: positionAt(5) })
    at.isAway = true
    const settled = await Promise.allSettled(waiting)
    expect(settled.map(({ status }) => status)).toEqual(Array.from(waiting, () => 'rejected'))
    Object.assign(at, { isAway: false, position: positionAt(8) })
    expect(await positions.reached(wait)).toBe(positionAt(8))
  })

  it('end earlier where they say so, and leave the others waiting', async () => {
    const { at, positions } = elsewhere()
    const patient = positions.reached(wait)
    expect(await positions.reached({ ...wait, endsBy: performance.now() + 30 })).toBe(positionAt(5))
    at.position = positionAt(8)
    expect(await patient).toBe(positionAt(8))
  })

  it('read the head only for positions that are not known to be in the log', async () => {
    const { at, positions } = elsewhere()
    expect(await positions.headBefore(positionAt(10))).toBe(positionAt(9))
    expect(await positions.headBefore(positionAt(9))).toBeUndefined()
    expect(await positions.headBefore(positionAt(1))).toBeUndefined()
    expect(at.headReads).toBe(1)
  })
})

interface Field {
  name: string
  method: string
  path: string
  field: string
  where: string
  schema: { description?: unknown }
}

/** Every field that a request may have in its path, its query or its body. */
function fieldsOf({ paths }: OpenApi) {
  return Object.entries(paths).flatMap(([path, methods]): Field[] =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const body = Object.entries(
        Object(operation.requestBody?.content['application/json']?.schema?.properties),
      ).map(([field, schema]) => ({ field, where: 'body', schema: Object(schema) }))
      const parameters = (operation.parameters ?? []).map(parameter => {
        const { name: field, in: where, schema } = parameter
        return { field, where, schema: { ...parameter, ...schema } }
      })
      return [...parameters, ...body].map(each => {
        return { ...each, method, path, name: `${method.toUpperCase()} ${path} ${each.field}` }
      })
    }),
  )
}

const likePosition = /position|^after$|^since$|^resume/i
const positionsAskedFor = (document: OpenApi) =>
  fieldsOf(document).filter(({ schema }) => schema.description === 'A position in the log')

/** Sends a request of which one field is this position; the others have values that fit. */
function ask(client: Client, { path, field, where, method }: Field, position: string) {
  const address = path.replace(/^.api/, '').replace(/\{(\w+)\}/g, (_, name: string) => {
    if (name === field) return position
    return { name: 'orders', stream: `order-${randomUUID()}` }[name] ?? randomUUID()
  })
  if (method === 'get') {
    return client.get(where === 'query' ? `${address}?${field}=${position}` : address)
  }
  const range = { from: '1', to: '1', [field]: position }
  return client.post(address, where === 'body' ? range : { reason: 'tried' })
}

describe('a request that needs several read models', () => {
  const needed = ['orders', 'carts', 'customers']

  /** Waits for all of them; `behind` are those that do not get to what is wanted. */
  function waiting(behind: readonly string[]) {
    const waits: PositionWait[] = []
    const ended: (() => void)[] = []
    const reached = (each: PositionWait) => {
      waits.push(each)
      const position = behind.includes(each.projection) ? positionAt(3) : each.wanted
      return new Promise<Position>(resolve => ended.push(() => resolve(position)))
    }
    const context = {
      eventStore: memoryEventStore(),
      app: { clock: { now: () => new Date() } },
      positions: { reached, known: () => positionAt(0), headBefore: async () => undefined },
      ownWrites: { of: async () => ({ known: positionAt(7), possible: positionAt(9) }) },
    } as unknown as ApiContext
    const actor = { role: 'customer', id: 'ann', roles: ['customer'] }
    const asking = { headers: { 'x-min-position': '5' }, query: {}, actor, ip: '::1' }
    const request = asking as unknown as FastifyRequest
    const end = (count: number) => {
      for (const each of ended.splice(0, count)) each()
    }
    return { waits, end, request, done: awaitPosition(context, request, ...needed) }
  }

  it('waits for all of them at once, until one moment', async () => {
    const { waits, end, request, done } = waiting([])
    await waitFor('a wait for each', async () => waits.length === 3)
    expect(waits.map(({ projection, wanted }) => [projection, wanted])).toEqual(
      needed.map(projection => [projection, positionAt(7)]),
    )
    end(3)
    await waitFor('what may have been written, too', async () => waits.length === 6)
    end(3)
    await done
    expect(waits.slice(3).map(({ wanted }) => wanted)).toEqual([
      positionAt(9),
      positionAt(9),
      positionAt(9),
    ])
    const [first] = waits
    expect(new Set(waits.map(({ endsBy }) => endsBy))).toEqual(new Set([first?.endsBy]))
    expect(first?.endsBy).toBeGreaterThan(0)
    expect(request.shows).toBe(positionAt(9))
  })

  it('is refused where any of them is behind', async () => {
    const { waits, end, done } = waiting(['customers'])
    await waitFor('a wait for each', async () => waits.length === 3)
    end(3)
    await expect(done).rejects.toMatchObject({
      code: 'request/projection-behind',
      extra: { lag: { seconds: 0, events: 4 } },
    })
  })
})

describe('a position', () => {
  let app: TestApp
  let ada: Person
  let productId = ''
  const followers: Follower[] = []
  beforeAll(async () => {
    app = await startTestApp()
    ada = await app.person()
    productId = (await newProduct(app, { stock: 1_000 })).id
  })
  afterEach(() => {
    for (const follower of followers.splice(0)) follower.cut()
  })
  afterAll(() => app?.close())

  const beyond = ['999999999', '999999999999999999']
  const malformed = ['9223372036854775808', '1'.repeat(40), '-1', '1e3', 'soon', '0x10', '1.0']

  it.each([
    '/products',
    '/products/featured',
    '/categories',
    '/orders',
    '/cart',
    '/audit/events',
    '/admin/reports/sales',
    '/admin/webhooks',
  ])('beyond the head is refused at once at %s, in header and query', async path => {
    for (const position of beyond) {
      const inHeader = await app.admin.client.get(path, { after: position })
      const { errors, detail } = expectProblem(inHeader, 400, 'request/invalid')
      expect(errors).toEqual([
        {
          pointer: '/minPosition',
          detail: expect.stringMatching(/^must not be greater than \d+$/),
        },
      ])
      expect(detail).toMatch(/ends at position \d+/)
    }
    for (const position of malformed) {
      const answer = await app.admin.client.get(path, { after: position })
      expectProblem(answer, 400, 'request/invalid')
    }
  })

  it('beyond the head is refused as a query parameter, too', async () => {
    const path = '/products?minPosition='
    for (const position of [...beyond, ...malformed]) {
      const { errors } = expectProblem(
        await app.anyone.get(path + position),
        400,
        'request/invalid',
      )
      expect(errors[0]?.pointer).toBe('/minPosition')
    }
  })

  it('beyond the head does not pass for the end of the audit log', async () => {
    for (const position of beyond) {
      const answer = await app.admin.client.get(`/audit/events?after=${position}`)
      expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/after')
    }
  })

  it('beyond the head is refused in every field that is one by the document', async () => {
    const all = positionsAskedFor(app.contract.document)
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'GET /api/audit/checkpoints after',
        'GET /api/audit/events after',
        'GET /api/audit/verify from',
        'GET /api/audit/verify to',
        'POST /api/admin/webhooks/{webhookId}/replay from',
        'POST /api/admin/webhooks/{webhookId}/replay to',
      ]),
    )
    const accepted: string[] = []
    for (const each of all) {
      for (const position of beyond) {
        const answer = await ask(app.admin.client, each, position)
        const isNamed = answer.body.errors?.[0]?.pointer === `/${each.field}`
        const isRefused = each.where === 'path' ? answer.status === 404 : isNamed
        if (!isRefused) accepted.push(`${each.name}=${position}: ${answer.status}`)
      }
    }
    expect(accepted).toEqual([])
  })

  it('is told from other numbers in every field with a name like one', () => {
    const names = fieldsOf(app.contract.document).filter(({ field }) => likePosition.test(field))
    const other = names.filter(
      ({ schema }) => !/^(A position in the log|A revision)$/.test(String(schema.description)),
    )
    expect(names.length).toBeGreaterThan(5)
    expect(other.map(({ name }) => name)).toEqual([])
  })

  it.each([...beyond, ...malformed, 'a\ud7ffb'])(
    'such as %s to resume from leads to a resync, and to live messages then',
    async position => {
      const socket = await followSocket(app.url, { authorization: `Bearer ${ada.access}` })
      followers.push(socket)
      socket.say({ resume: position })
      const header = encodeURIComponent(position)
      const events = await followEvents(app.url, ada.access, header)
      followers.push(events)
      for (const each of [socket, events]) {
        await each.hears('the resync', ({ type }) => type === 'resync')
      }
      const { orderId } = (await newOrder(ada, productId)).body
      for (const each of [socket, events]) {
        await each.hears('the order', message => message.orderId === orderId)
      }
    },
  )
})
