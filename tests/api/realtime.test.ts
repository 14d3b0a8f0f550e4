// Following orders live: who hears what, what is missed is caught up, and what junk does: nothing.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { moveOrder, newOrder, newProduct } from '../support/goods.ts'
import {
  type Follower,
  followEvents,
  followSocket,
  handshakeStatus,
  sendFrames,
} from '../support/liveFeed.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let ada: Person
let bob: Person
let productId = ''
const followers: Follower[] = []

beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
  bob = await app.person()
  productId = (await newProduct(app, { stock: 100_000 })).id
})
afterEach(() => {
  for (const follower of followers.splice(0)) follower.cut()
})
afterAll(() => app?.close())

const bearer = (person: Person) => ({ authorization: `Bearer ${person.access}` })

async function socketOf(person: Person) {
  const follower = await followSocket(app.url, bearer(person))
  followers.push(follower)
  return follower
}

async function eventsOf(person: Person, lastEventId?: string) {
  const follower = await followEvents(app.url, person.access, lastEventId)
  followers.push(follower)
  return follower
}

/** An order of this person that is paid and shipped: three updates. */
async function shippedOrder(person: Person) {
  const { orderId } = (await newOrder(person, productId)).body
  await person.client.post(`/orders/${orderId}/pay`, {})
  await moveOrder(app, orderId, 'shipped')
  return orderId
}

const shippedOne = (orderId: string) => (update: { orderId: string; status: string }) =>
  update.orderId === orderId && update.status === 'shipped'

describe('a handshake', () => {
  it.each([
    ['no token', () => ({})],
    ['an invalid token', () => ({ authorization: `Bearer ${ada.access}x` })],
    ['another scheme', () => ({ authorization: `Basic ${ada.access}` })],
    ['an invalid subprotocol token', () => ({ protocols: ['bearer', 'nonsense'] })],
    ['a subprotocol without a token', () => ({ protocols: ['bearer'] })],
  ])('with %s is refused before the upgrade', async (_, handshake) => {
    expect(await handshakeStatus(app.url, handshake())).toBe(401)
  })

  it.each([
    ['the Authorization header', () => bearer(ada)],
    ['the subprotocol of browsers', () => ({ protocols: ['bearer', ada.access] })],
  ])('with a token in %s is taken', async (_, handshake) => {
    const follower = await followSocket(app.url, handshake())
    followers.push(follower)
    await follower.hears('the greeting', ({ type }) => type === 'connected')
  })

  it('for server-sent events needs a token, too', async () => {
    expect((await fetch(`${app.url}/api/orders/notifications`)).status).toBe(401)
  })
})

describe.each([
  ['WebSocket', socketOf],
  ['server-sent events', eventsOf],
] as const)('over %s', (_, follow) => {
  it('customers hear of their own orders and of no others', async () => {
    const [hers, his] = [await follow(ada), await follow(bob)]
    const orderId = await shippedOrder(ada)
    await hers.hears('shipped', shippedOne(orderId))
    const updates = hers.updates().filter(update => update.orderId === orderId)
    expect(updates.map(({ previousStatus, status }) => [previousStatus, status])).toEqual([
      ['submitted', 'pending'],
      ['pending', 'paid'],
      ['paid', 'shipped'],
    ])
    for (const update of updates) {
      expect(update).toEqual({
        type: 'order_update',
        position: expect.stringMatching(/^\d+$/),
        orderId,
        orderNumber: expect.stringMatching(/^\d{3}-\d{4}$/),
        status: update.status,
        previousStatus: update.previousStatus,
        message: `Your order ${update.orderNumber} is now ${update.status}`,
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      })
    }
    const own = await shippedOrder(bob)
    await his.hears('his own', shippedOne(own))
    expect(his.updates().every(update => update.orderId === own)).toBe(true)
  })
})

describe('a connection', () => {
  it('stays open for longer than a request may take', async () => {
    const both = [await socketOf(ada), await eventsOf(ada)]
    // Handlers have ten seconds; this is a wait for the deadline itself to pass.
    await pause(11_000)
    const orderId = await shippedOrder(ada)
    for (const follower of both) await follower.hears('shipped', shippedOne(orderId))
  })
})

describe('the staff', () => {
  it('hears of everybody’s orders once it has asked', async () => {
    const support = await app.person('support')
    const follower = await socketOf(support)
    follower.say({ subscribe: 'orders:all' })
    await follower.hears('the answer', ({ type }) => type === 'subscribed')
    const orderId = await shippedOrder(ada)
    await follower.hears('shipped', shippedOne(orderId))
    expect(follower.updates().filter(update => update.orderId === orderId)).toHaveLength(3)
  })

  it('is what a customer has to be for that', async () => {
    const follower = await socketOf(bob)
    follower.say({ subscribe: 'orders:all' })
    await follower.hears('the refusal', ({ type }) => type === 'error')
    const [hers, his] = [await shippedOrder(ada), await shippedOrder(bob)]
    await follower.hears('his own', shippedOne(his))
    expect(follower.updates().some(update => update.orderId === hers)).toBe(false)
  })
})

describe('resuming', () => {
  const ways = [
    [
      'WebSocket',
      async (person: Person, after: string) => {
        const follower = await socketOf(person)
        follower.say({ resume: after })
        return follower
      },
    ],
    ['server-sent events', eventsOf],
  ] as const

  it.each(ways)(
    'over %s after 20 cuts leaves no gap and repeats nothing',
    async (_, follow) => {
      const person = await app.person()
      const begun = await newOrder(person, productId)
      let after = begun.body.position
      const heard: string[] = []
      const busy = { now: true }
      const orders: string[] = []
      const shopping = (async () => {
        while (busy.now) orders.push(await shippedOrder(person))
      })()
      for (let round = 0; round < 20; round += 1) {
        const follower = await follow(person, after)
        await pause(Math.random() * 120)
        follower.cut()
        const updates = follower.updates()
        heard.push(...updates.map(({ position }) => position))
        after = updates.at(-1)?.position ?? after
      }
      busy.now = false
      await shopping
      const last = await follow(person, after)
      await last.hears('the last', shippedOne(orders.at(-1) ?? ''))
      heard.push(...last.updates().map(({ position }) => position))
      const all = await eventsOf(person, begun.body.position)
      await all.hears('the last', shippedOne(orders.at(-1) ?? ''))
      expect(heard).toEqual(all.updates().map(({ position }) => position))
      expect(heard).toHaveLength(orders.length * 3)
    },
    60_000,
  )

  it('asked for late does not lose what was missed before the first live update', async () => {
    const person = await app.person()
    const before = await newOrder(person, productId)
    const missed = await shippedOrder(person)
    const follower = await socketOf(person)
    await follower.hears('the greeting', ({ type }) => type === 'connected')
    const live = await shippedOrder(person)
    await waitFor('the live one to be known', async () => {
      const { body } = await person.client.get(`/orders/${live}`)
      return body.status === 'shipped'
    })
    follower.say({ resume: before.body.position })
    await waitFor('what was missed, or word that it is lost', () => {
      const resynced = follower.messages.some(({ type }) => type === 'resync')
      const heard = follower.updates().filter(({ orderId }) => orderId === missed)
      return resynced || heard.length === 3
    })
  })

  it('asked for twice at once is served', async () => {
    const follower = await socketOf(ada)
    const orderId = await shippedOrder(ada)
    for (let time = 0; time < 5; time += 1) follower.say({ resume: '0' })
    await follower.hears('shipped', shippedOne(orderId))
    follower.say({ type: 'ping' })
    await follower.hears('the pong', ({ type }) => type === 'pong')
    const positions = follower.updates().map(({ position }) => Number(position))
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
  })
})

describe('what makes no sense', () => {
  it('is answered and harms nobody', async () => {
    const frames = [
      'hello',
      '',
      'null',
      '[]',
      '{"resume":7}',
      '{"resume":"-1"}',
      '{"resume":"99999999999999999999"}',
      '{"subscribe":"orders:all","more":1}',
      '{"__proto__":{"subscribe":"orders:all"}}',
      `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      '\u0000\uffff',
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.alloc(16 * 1024),
    ]
    const junk = await sendFrames(app.url, bearer(ada), frames)
    await waitFor('an answer to each', () => junk.answers() >= frames.length)
    junk.cut()
    const orderId = await shippedOrder(ada)
    const follower = await eventsOf(ada, '0')
    await follower.hears('life goes on', shippedOne(orderId))
  })

  it('and is too long ends the connection', async () => {
    const { closed } = await sendFrames(app.url, bearer(ada), ['x'.repeat(16 * 1024 + 1)])
    expect(await closed).toBe(1009)
  })

  it('such as a position beyond the log is told to load anew', async () => {
    // One has more digits than any position, the other is one that the log may reach one day.
    for (const resume of ['9223372036854775807', '999999999999999999']) {
      const follower = await socketOf(ada)
      follower.say({ resume })
      await follower.hears('the resync', ({ type }) => type === 'resync')
      const orderId = await shippedOrder(ada)
      await follower.hears('life goes on', shippedOne(orderId))
    }
  })
})

describe('stopping', () => {
  it('ends every connection and does not wait for their clients', async () => {
    const [socket, events] = [await socketOf(ada), await eventsOf(ada)]
    await app.restart()
    expect(await socket.closed).toBeGreaterThan(1000)
    await events.closed
  }, 15_000)
})
