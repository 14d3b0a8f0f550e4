// More at once than a process can take is told to come later, and nothing is half done.
import { connect } from 'node:net'
import { type FastifyRequest, fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useConcurrencyLimit } from '../../src/api/http/concurrencyLimit.ts'
import type { Role } from '../../src/domain/kernel/types.ts'
import { atRest, findings } from '../support/auditing.ts'
import { expectProblem, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
beforeAll(async () => {
  app = await startTestApp({ settings: { COMMANDS_MAX: '4', RATE_LIMITS: 'off' } })
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

const add = () => person.client.post('/cart/items', { productId, quantity: 1 }, { expects: 503 })

describe('more commands at once than there is room for', () => {
  it('are refused with a time to wait, and those that are let in are carried out', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, add))
    const done = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status !== 201)
    expect(done.length).toBeGreaterThanOrEqual(4)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expectProblem(answer, 503, 'request/unavailable')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    const after = done.map(({ body }) => BigInt(body.position)).reduce((a, b) => (a > b ? a : b))
    const cart = await person.client.get('/cart', { after: String(after) })
    expect(cart.body.itemCount).toBe(done.length)
  })

  it('are let in again once the others are done, and leave the books in order', async () => {
    expect((await add()).status).toBe(201)
    await atRest(app.back)
    expect(await findings(app.back)).toEqual([])
  })

  it('do not keep anybody from reading', async () => {
    const commands = Array.from({ length: 64 }, add)
    const read = await person.client.get('/products')
    await Promise.all(commands)
    expect(read.status).toBe(200)
  })
})

describe('one caller who sends all at once', () => {
  it('keeps nobody else from a single command', async () => {
    const other = await app.person()
    let isOver = false
    const flood = Array.from({ length: 16 }, async () => {
      while (!isOver) await add()
    })
    const statuses: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const item = { productId, quantity: 1 }
      const { status } = await other.client.post('/cart/items', item, { expects: 503 })
      statuses.push(status)
    }
    isOver = true
    await Promise.all(flood)
    expect(new Set(statuses)).toEqual(new Set([201]))
  })

  it.each([
    ['lists', '/products?search=%d', ''],
    ['tables of sales', '/admin/reports/sales?limit=%d', 'Accept: text/csv\r\n'],
  ])('keeps nobody else from reading, with thousands of requests for %s', async (_, path, more) => {
    const { hostname, port } = new URL(app.url)
    const token = path.startsWith('/products') ? '' : `Authorization: Bearer ${app.admin.access}`
    const socket = connect(Number(port), hostname)
    let answers = ''
    socket.on('data', text => {
      answers += String(text)
    })
    const head = `HTTP/1.1\r\nHost: x\r\n${more}${token}${token === '' ? '' : '\r\n'}\r\n`
    for (let each = 0; each < 1_300; each += 1) {
      socket.write(`GET /api${path.replace('%d', String(1 + (each % 50)))} ${head}`)
    }
    await waitFor('refusals', () => answers.includes('HTTP/1.1 503 '))
    for (let round = 0; round < 5; round += 1) {
      expect((await person.client.get('/orders')).status).toBe(200)
    }
    socket.destroy()
  })

  /** A gate of twenty places whose work ends when it is told to; who is inside. */
  function openGate() {
    const server = fastify()
    useConcurrencyLimit(server, 20)
    const inside: string[] = []
    const enters = async (id: string, role: Role | 'anonymous', ip: string) => {
      const actor = role === 'anonymous' ? { role } : { role, id, roles: [role] }
      const request: Pick<FastifyRequest, 'actor' | 'ip'> = { actor, ip }
      const entered = inside.length
      const { promise, resolve } = Promise.withResolvers<void>()
      const end = server.limit(request, async () => {
        inside.push(id)
        await promise
      })
      // Whoever is refused is refused at once.
      await Promise.race([end, new Promise(setImmediate)]).catch(() => undefined)
      const leave = () => {
        resolve()
        return end
      }
      return { isInside: inside.length > entered, leave }
    }
    const many = async (times: number, id: string, role: Role | 'anonymous', ip: string) => {
      const all = []
      for (let time = 0; time < times; time += 1) all.push(await enters(id, role, ip))
      return all.filter(({ isInside }) => isInside)
    }
    return { many }
  }

  it('gets half of the places, a second one half of what is left', async () => {
    const { many } = openGate()
    expect(await many(30, 'ann', 'customer', '10.0.0.1')).toHaveLength(9)
    expect(await many(30, 'bob', 'customer', '10.0.0.2')).toHaveLength(5)
    expect(await many(30, 'cem', 'customer', '10.0.0.3')).toHaveLength(2)
    expect(await many(1, 'dot', 'customer', '10.0.0.4')).toHaveLength(1)
  })

  it('counts by address as a guest, whatever carts there are', async () => {
    const { many } = openGate()
    expect(await many(30, 'a guest', 'anonymous', '10.0.0.1')).toHaveLength(9)
    expect(await many(30, 'the same', 'anonymous', '10.0.0.1')).toHaveLength(0)
  })

  it('cannot help themselves with more accounts at one address', async () => {
    const { many } = openGate()
    for (let account = 0; account < 30; account += 1) {
      await many(1, `account ${account}`, 'customer', '10.0.0.1')
    }
    expect(await many(1, 'somebody else', 'customer', '10.0.0.2')).toHaveLength(1)
    expect(await many(1, 'one more', 'customer', '10.0.0.1')).toHaveLength(0)
  })

  it('cannot keep those out who share their address, as behind a strange proxy', async () => {
    const { many } = openGate()
    const proxy = '10.0.0.1'
    await many(30, 'a guest', 'anonymous', proxy)
    for (const flood of ['ann', 'bob']) await many(30, flood, 'customer', proxy)
    expect(await many(1, 'cem', 'customer', proxy)).toHaveLength(1)
    expect(await many(1, 'dot', 'customer', '10.0.0.2')).toHaveLength(1)
  })

  it('leaves two places for the staff, who do not share their address', async () => {
    const { many } = openGate()
    for (let account = 0; account < 60; account += 1) {
      await many(1, `account ${account}`, 'customer', `10.0.0.${account}`)
    }
    expect(await many(30, 'admin', 'admin', '10.0.0.1')).toHaveLength(1)
    expect(await many(30, 'warehouse', 'warehouse', '10.0.0.1')).toHaveLength(1)
  })

  it('finds room again once something has ended', async () => {
    const { many } = openGate()
    const [first] = await many(30, 'ann', 'customer', '10.0.0.1')
    await first?.leave()
    expect(await many(30, 'ann', 'customer', '10.0.0.1')).toHaveLength(1)
  })
})
