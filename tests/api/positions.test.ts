// Positions that callers send: waits are bounded and shared, and none may be beyond the log.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createPositions } from '../../src/api/positions.ts'
import { atOnce, expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { type Follower, followEvents, followSocket } from '../support/liveFeed.ts'
import { type Person, startTestShop, type TestShop } from '../support/testShop.ts'

/** A process whose projections run elsewhere; `at` is what its queries answer. */
function elsewhere() {
  const at = { position: 5n, isAway: false, reads: 0, headReads: 0 }
  const positions = createPositions({
    async readPositions() {
      at.reads += 1
      if (at.isAway) throw new Error('away')
      return new Map([['orders', at.position]])
    },
    async readHead() {
      at.headReads += 1
      return 9n
    },
    progress: {
      positionOf: () => 0n,
      nextStep: timeoutMs => new Promise(resolve => setTimeout(resolve, timeoutMs)),
    },
  })
  return { at, positions }
}

const wait = { projection: 'orders', wanted: 8n, claimant: { by: 'ann', from: '::1', level: 1 } }
/** The same wait of another caller each time, from an address of their own. */
const waitOf = (caller: number, level: number) => {
  return { ...wait, claimant: { by: `${level} ${caller}`, from: `10.0.${level}.${caller}`, level } }
}

describe('waits for a read model', () => {
  it('end when it gets there, all of them by the same few queries', async () => {
    const { at, positions } = elsewhere()
    const waiting = atOnce(400, () => positions.reached(wait))
    await positions.reached({ ...wait, wanted: 5n })
    at.position = 8n
    expect(await waiting).toEqual(Array.from({ length: 400 }, () => 8n))
    expect(at.reads).toBeLessThan(10)
  })

  it('end after two seconds at most, having cost one query per poll', async () => {
    const { at, positions } = elsewhere()
    const ended = await atOnce(400, () => positions.reached(wait))
    expect(new Set(ended)).toEqual(new Set([5n]))
    expect(at.reads).toBeLessThan(2_000 / 20 + 10)
  })

  it('of strangers are few, which leaves room for everybody else', async () => {
    const { at, positions } = elsewhere()
    let caller = 0
    const strangers = atOnce(300, () => positions.reached(waitOf(caller++, 0)))
    await positions.reached({ ...wait, wanted: 5n })
    const signedIn = positions.reached(wait)
    await positions.reached({ ...wait, wanted: 5n })
    at.position = 8n
    expect((await strangers).filter(position => position === 8n)).toHaveLength(100)
    expect(await signedIn).toBe(8n)
    // Places are free again once their waits have ended.
    at.position = 9n
    expect(await positions.reached({ ...waitOf(1, 0), wanted: 9n })).toBe(9n)
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
    at.position = 8n
    expect((await own).filter(position => position === 8n)).toHaveLength(450)
    expect(await other).toBe(8n)
    expect((await crowd).filter(position => position === 8n)).toHaveLength(449)
    expect(await staff).toBe(8n)
  })

  it('fail together when the database is away, and work again afterwards', async () => {
    const { at, positions } = elsewhere()
    const waiting = Array.from({ length: 20 }, () => positions.reached(wait))
    await positions.reached({ ...wait, wanted: 5n })
    at.isAway = true
    const settled = await Promise.allSettled(waiting)
    expect(settled.map(({ status }) => status)).toEqual(Array.from(waiting, () => 'rejected'))
    Object.assign(at, { isAway: false, position: 8n })
    expect(await positions.reached(wait)).toBe(8n)
  })

  it('read the head only for positions that are not known to be in the log', async () => {
    const { at, positions } = elsewhere()
    expect(await positions.headBefore(10n)).toBe(9n)
    expect(await positions.headBefore(9n)).toBeUndefined()
    expect(await positions.headBefore(1n)).toBeUndefined()
    expect(at.headReads).toBe(1)
  })
})

describe('a position', () => {
  let shop: TestShop
  let ada: Person
  let productId = ''
  const followers: Follower[] = []
  beforeAll(async () => {
    shop = await startTestShop()
    ada = await shop.person()
    productId = (await newProduct(shop, { stock: 1_000 })).id
  })
  afterEach(() => {
    for (const follower of followers.splice(0)) follower.cut()
  })
  afterAll(() => shop?.close())

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
      const inHeader = await shop.admin.client.get(path, { after: position })
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
      const answer = await shop.admin.client.get(path, { after: position })
      expectProblem(answer, 400, 'request/invalid')
    }
  })

  it('beyond the head is refused as a query parameter, too', async () => {
    const path = '/products?minPosition='
    for (const position of [...beyond, ...malformed]) {
      const { errors } = expectProblem(
        await shop.anyone.get(path + position),
        400,
        'request/invalid',
      )
      expect(errors[0]?.pointer).toBe('/minPosition')
    }
  })

  it('beyond the head does not pass for the end of the audit log', async () => {
    for (const position of beyond) {
      const answer = await shop.admin.client.get(`/audit/events?after=${position}`)
      expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/after')
    }
  })

  it.each([...beyond, ...malformed, 'a\ud7ffb'])(
    'such as %s to resume from leads to a resync, and to live messages then',
    async position => {
      const socket = await followSocket(shop.url, { authorization: `Bearer ${ada.access}` })
      followers.push(socket)
      socket.say({ resume: position })
      const header = encodeURIComponent(position)
      const events = await followEvents(shop.url, ada.access, header)
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
