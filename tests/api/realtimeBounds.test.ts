// The bounds of following live: from which pages, how many, how much, how long, and how it ends.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { revokeRole } from '../../src/commands/customer/customer.ts'
import { withDeadline } from '../../src/kit/deadline.ts'
import {
  type Follower,
  followEvents,
  followSocket,
  type Handshake,
  handshakeStatus,
} from '../support/liveFeed.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const friend = 'https://friend.example.com'
let app: TestApp
let ada: Person
const followers: Follower[] = []

beforeAll(async () => {
  app = await startTestApp({ settings: { CORS_ORIGINS: friend } })
  ada = await app.person()
})
afterEach(async () => {
  for (const follower of followers.splice(0)) {
    follower.cut()
    await follower.closed
  }
})
afterAll(() => app?.close())

const bearer = (person: Person) => ({ authorization: `Bearer ${person.access}` })

async function follow(person: Person, handshake: Handshake = {}, url = app.url) {
  const follower = await followSocket(url, { ...bearer(person), ...handshake })
  followers.push(follower)
  return follower
}

async function followBySse(person: Person, origin?: string, url = app.url) {
  const follower = await followEvents(url, person.access, undefined, origin)
  followers.push(follower)
  return follower
}

/** The server hears a moment later than we that a connection is gone. */
const seated = (person: Person, times: number) =>
  Promise.all(
    Array.from({ length: times }, () =>
      waitFor('a seat', () => follow(person).catch(() => undefined)),
    ),
  )

describe('the Origin of a page', () => {
  const own = () => app.url
  it.each([
    ['that is not said, as by curl and wscat,', () => undefined],
    ['of the shop itself', own],
    ['of this machine by its other name', () => app.url.replace('127.0.0.1', 'localhost')],
    ['in CORS_ORIGINS', () => friend],
  ])('%s may follow', async (_, origin) => {
    const said = origin()
    const handshake = said === undefined ? {} : { origin: said }
    expect(await handshakeStatus(app.url, { ...bearer(ada), ...handshake })).toBe(101)
    await followBySse(ada, said)
  })

  it.each([
    ['null', () => 'null'],
    ['of a stranger', () => 'https://evil.example.com'],
    ['that looks alike', () => `${friend}.evil.example.com`],
    ['that begins alike', () => `${app.url}0`],
    ['with another scheme', () => 'http://friend.example.com'],
    ['with another port', () => `${friend}:8443`],
    ['that is a list', () => `${friend}, https://evil.example.com`],
    ['that is empty', () => ''],
  ])('%s is refused before the upgrade', async (_, origin) => {
    const refused = { ...bearer(ada), origin: origin() }
    expect(await handshakeStatus(app.url, refused)).toBe(403)
    await expect(followBySse(ada, origin())).rejects.toThrow('403')
  })

  it('lets a page of a friend read the events, and says so', async () => {
    const events = await followEvents(app.url, ada.access, undefined, friend)
    followers.push(events)
    expect(events.headers.get('access-control-allow-origin')).toBe(friend)
  })
})

describe('connections', () => {
  it('of one person are five, over both ways together, and free again when one ends', async () => {
    const person = await app.person()
    const first = await follow(person)
    for (let time = 0; time < 3; time += 1) await follow(person)
    const events = await followBySse(person)
    expect(await handshakeStatus(app.url, bearer(person))).toBe(429)
    await expect(followBySse(person)).rejects.toThrow('429')
    first.cut()
    await waitFor('a free one', async () => {
      return (await handshakeStatus(app.url, bearer(person))) === 101
    })
    events.cut()
    await seated(person, 2)
  })

  it('that come all at once are no more than that', async () => {
    const person = await app.person()
    const asked = await Promise.allSettled(Array.from({ length: 12 }, () => follow(person)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  })
})

describe('somebody who says too much', () => {
  it('is heard twenty times in ten seconds and no more', async () => {
    const person = await app.person()
    const polite = await follow(person)
    for (let time = 0; time < 20; time += 1) polite.say({ type: 'ping' })
    const pongs = () => polite.messages.filter(({ type }) => type === 'pong').length
    await waitFor('20 answers', () => pongs() === 20)
    polite.say({ type: 'ping' })
    expect(await polite.closed).toBe(1008)
    expect(pongs()).toBe(20)
  })
})

describe('a connection ends', () => {
  it('when its token does', async () => {
    const brief = await startTestApp({
      settings: { ACCESS_TOKEN_TTL_SECONDS: '3' },
      workers: false,
    })
    try {
      const person = await brief.person()
      const { body } = await person.client.post('/auth/tickets', {})
      const byToken = await follow(person, {}, brief.url)
      const byEvents = await followBySse(person, undefined, brief.url)
      const byTicket = await followSocket(brief.url, { protocols: ['ticket', String(body.ticket)] })
      expect(await byToken.closed).toBe(4401)
      expect(await byTicket.closed).toBe(4401)
      await byEvents.closed
    } finally {
      await brief.close()
    }
  }, 30_000)

  it('when its session does', async () => {
    const person = await app.person()
    const [socket, events] = [await follow(person), await followBySse(person)]
    await person.client.post('/auth/logout')
    expect([await socket.closed, await socket.why]).toEqual([4401, 'signed out'])
    await events.closed
  }, 30_000)

  it('when its owner is locked out', async () => {
    const person = await app.person()
    const socket = await follow(person)
    await app.admin.client.patch(`/admin/users/${person.id}`, { disabled: true })
    expect(await socket.closed).toBe(4401)
  }, 30_000)

  it('when a role is taken away that it was opened with; that of others goes on', async () => {
    const [support, other] = [await app.person('support'), await app.person('support')]
    const [socket, stays] = [await follow(support), await follow(other)]
    socket.say({ subscribe: 'orders:all' })
    const input = { customerId: support.id, role: 'support' as const }
    await execute(app.back.app, revokeRole, input, systemEnvelope('test', new Date()))
    const ended = Promise.all([socket.closed, socket.why])
    const why = await withDeadline(15_000, 'the end of the connection', ended)
    expect(why).toEqual([4401, 'roles have changed'])
    stays.say({ type: 'ping' })
    await stays.hears('the pong', ({ type }) => type === 'pong')
  }, 30_000)
})

describe('a client that does not read', () => {
  it('is sent away with where to go on, while the others hear everything', async () => {
    const person = await app.person()
    const [slow, fast] = [await follow(person), await follow(person)]
    for (const each of [slow, fast]) {
      await each.hears('the greeting', ({ type }) => type === 'connected')
    }
    slow.stopReading()
    for (let round = 1; round <= rounds; round += 1) {
      await notify(person.id, round)
      await waitFor('the next one', () => fast.updates().length === round)
    }
    slow.startReading()
    expect(await slow.closed).toBe(1013)
    const last = slow.updates().at(-1)?.position
    expect(await slow.why).toBe(`resume:${last}`)
    expect(slow.updates().length).toBeLessThan(rounds)
  }, 60_000)

  const rounds = 12

  /** News as the projection would leave it, but large: twelve are more than any socket holds. */
  const notify = (customerId: string, round: number) =>
    app.back.pool.query(
      `insert into readmodel.notifications
         (position, order_id, order_number, customer_id, status, previous_status, at)
       values ($2, $1, repeat('x', 2000000), $1, 'paid', 'pending', now())`,
      [customerId, 1_000_000 + round],
    )
})

describe('a server that stops', () => {
  it('says so to everybody and waits for nobody', async () => {
    const people = await Promise.all([1, 2].map(() => app.person()))
    const sockets = []
    for (const person of people) {
      for (let time = 0; time < 5; time += 1) sockets.push(await follow(person))
    }
    // One of them will never answer the goodbye.
    const mute = sockets.pop()
    mute?.stopReading()
    await app.restart()
    for (const socket of sockets) expect(await socket.closed).toBe(1001)
  }, 30_000)
})
