// Places for answers that last: shared fairly, kept for the staff, and lost with one's rights.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { revokeRole } from '../../src/commands/customer/customer.ts'
import { anEvent, newStream } from '../contract/eventStoreSubject.ts'
import { followSocket, handshakeStatus } from '../support/liveFeed.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

// Five of seventeen are for the staff; of the other twelve one address gets six.
const settings = { LIVE_CONNECTIONS_MAX: '17', TRUST_PROXY: '127.0.0.1' }

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings, workers: false })
})
afterAll(() => app?.close())

const open: { cut(): void; closed: Promise<unknown> }[] = []
afterEach(async () => {
  for (const { cut, closed } of open.splice(0)) {
    cut()
    await closed
  }
})

type Headers = Record<string, string>

/** An answer that lasts; its status, and how it ends: whole, or broken off. */
async function lasting(path: string, { access }: Person, headers: Headers = {}) {
  const leaving = new AbortController()
  const response = await fetch(`${app.url}/api${path}`, {
    headers: { authorization: `Bearer ${access}`, ...headers },
    signal: leaving.signal,
  })
  const cut = () => leaving.abort()
  // A response that nobody holds any more is collected, and its body ends as if it were whole.
  const read = async (pauseMs?: number) => {
    for await (const _ of response.body ?? []) if (pauseMs !== undefined) await sleep(pauseMs)
    return 'whole'
  }
  return {
    status: response.status,
    cut,
    read: (pauseMs?: number) => read(pauseMs).catch(() => 'broken off'),
  }
}

async function followed(path: string, person: Person, headers: Headers = {}): Promise<number> {
  const { status, cut, read } = await lasting(path, person, headers)
  open.push({ cut, closed: read() })
  return status
}

const events = { accept: 'text/event-stream' }
const from = (network: number) => ({ 'x-forwarded-for': `198.51.100.${network}` })
const overSse = (person: Person, network: number) =>
  followed('/orders/notifications', person, from(network))

async function overSocket(person: Person, network: number): Promise<number> {
  const handshake = {
    authorization: `Bearer ${person.access}`,
    from: from(network)['x-forwarded-for'],
  }
  const status = await handshakeStatus(app.url, handshake)
  if (status === 101) open.push(await followSocket(app.url, handshake))
  return status
}

const people = (count: number) => Promise.all(Array.from({ length: count }, () => app.person()))
/** The server hears a moment later than we that those of the test before are gone. */
const first = (person: Person, network: number) =>
  waitFor('a place', async () => (await overSse(person, network)) === 200)

/** Takes all twelve places that customers have. */
async function fill(): Promise<void> {
  for (const [network, person] of (await people(4)).entries()) {
    await first(person, network)
    for (let time = 1; time < 3; time += 1) {
      expect(await waitForPlace(person, network)).toBe(200)
    }
  }
}

const waitForPlace = (person: Person, network: number) =>
  waitFor('a place', async () => {
    const status = await overSse(person, network)
    return status === 200 ? status : undefined
  })

/** An import that nobody works on. */
async function startImport(): Promise<string> {
  const { access } = app.admin
  const response = await fetch(`${app.url}/api/products/imports`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${access}`,
      'content-type': 'application/x-ndjson',
      'idempotency-key': randomUUID(),
    },
    body: '{"sku":"A-1","name":"One","price":"1.00","stock":1}\n',
  })
  expect(response.status).toBe(202)
  return response.headers.get('location')?.replace('/api', '') ?? ''
}

describe('when customers have taken all places that they can have', () => {
  it('the staff still follows orders, both ways, and progress; no customer does', async () => {
    await fill()
    const [late, support, manager] = [
      await app.person(),
      await app.person('support'),
      await app.person('admin'),
    ]
    expect(await overSse(late, 20)).toBe(503)
    expect(await overSocket(late, 20)).toBe(503)
    expect(await overSse(support, 20)).toBe(200)
    expect(await overSocket(support, 20)).toBe(101)
    expect(await followed(await startImport(), manager, events)).toBe(200)
  })

  it('and the staff all others, nobody gets one', async () => {
    await fill()
    const [support, other] = [await app.person('support'), await app.person('admin')]
    for (let time = 0; time < 5; time += 1) expect(await overSse(support, 20)).toBe(200)
    expect(await overSse(other, 20)).toBe(503)
    expect(await followed(await startImport(), other, events)).toBe(503)
  })
})

describe('one address', () => {
  it('gets half of the places that customers have, with however many accounts', async () => {
    const accounts = await people(4)
    for (const person of accounts.slice(0, 3)) {
      for (let time = 0; time < 2; time += 1) expect(await waitForPlace(person, 30)).toBe(200)
    }
    const [, , , fourth] = accounts
    if (fourth === undefined) throw new Error('nobody')
    expect(await overSse(fourth, 30)).toBe(429)
    expect(await overSocket(fourth, 30)).toBe(429)
    expect(await overSse(fourth, 31)).toBe(200)
    expect(await overSse(await app.person('warehouse'), 30)).toBe(200)
  })
})

describe('progress and exports', () => {
  it('of one person are as many as other connections, counted by themselves', async () => {
    const admin = await app.person('admin')
    const path = await startImport()
    await waitFor('a place', async () => (await followed(path, admin, events)) === 200)
    for (let time = 1; time < 5; time += 1) expect(await followed(path, admin, events)).toBe(200)
    expect(await followed(path, admin, events)).toBe(429)
    expect(await overSse(admin, 40)).toBe(200)
  })

  /** More than all sockets on the way hold, so that it does not end while nobody reads it. */
  beforeAll(async () => {
    const padding = 'x'.repeat(20_000)
    for (let batch = 0; batch < 10; batch += 1) {
      const large = Array.from({ length: 200 }, (_, n) => anEvent({ n, padding }))
      await app.back.eventStore.append(newStream(), 'no-stream', large)
    }
  }, 60_000)
  const ways: [string, (person: Person) => Promise<void>][] = [
    [
      'a role is taken away',
      async ({ id: customerId }) => {
        const input = { customerId, role: 'admin' as const }
        await execute(app.back.app, revokeRole, input, systemEnvelope('test', new Date()))
      },
    ],
    [
      'the account is locked',
      async ({ id }) => {
        await app.admin.client.patch(`/admin/users/${id}`, { disabled: true })
      },
    ],
    [
      'the session ends',
      async ({ client }) => {
        await client.post('/auth/logout')
      },
    ],
  ]

  it.each(ways)('end when %s', { timeout: 60_000 }, async (_, happens) => {
    const [admin, other] = [await app.person('admin'), await app.person('admin')]
    const lines = { accept: 'application/x-ndjson' }
    const path = await startImport()
    const progress = await lasting(path, admin, events)
    const exported = await lasting('/audit/events', admin, lines)
    const stays = await lasting(path, other, events)
    open.push(...[stays, exported, progress].map(({ cut }) => ({ cut, closed: Promise.resolve() })))
    expect([progress.status, exported.status, stays.status]).toEqual([200, 200, 200])
    const progressEnds = progress.read()
    const othersEnds = stays.read()
    await happens(admin)
    expect(await progressEnds).toBe('broken off')
    // It is ended with the next look at the latest, long before so slow a reader has all of it.
    expect(await exported.read(30)).toBe('broken off')
    expect(await Promise.race([othersEnds, Promise.resolve('goes on')])).toBe('goes on')
  })
})
