// Who follows the log is woken for what they want; the database says what there is.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSubscriberSignals } from '../../src/eventstore/core/subscriberSignals.ts'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { waitFor } from '../support/waitFor.ts'

const soon = 60_000

describe('whoever wants some types', () => {
  it('is woken at once by one of them, and by what nobody knows the types of', () => {
    const wakeUps = createSubscriberSignals()
    const { signal: pulse } = wakeUps.join({ types: ['OrderPaid', 'OrderShipped'] })
    wakeUps.notify(['ItemAddedToCart', 'OrderShipped'])
    expect(pulse.count()).toBe(1)
    wakeUps.notify()
    expect(pulse.count()).toBe(2)
  })

  it('is woken a little later by others, once for all of them', async () => {
    const wakeUps = createSubscriberSignals()
    const { signal: pulse } = wakeUps.join({ types: ['OrderPaid'] })
    for (let call = 0; call < 10; call += 1) wakeUps.notify(['ItemAddedToCart'])
    expect(pulse.count()).toBe(0)
    await pulse.wait(0, soon)
    expect(pulse.count()).toBe(1)
  })

  it('is not woken once more when it has been woken meanwhile', async () => {
    const wakeUps = createSubscriberSignals()
    const { signal: pulse } = wakeUps.join({ types: ['OrderPaid'] })
    wakeUps.notify(['ItemAddedToCart'])
    wakeUps.notify(['OrderPaid'])
    const other = wakeUps.join({ types: ['OrderPaid'] }).signal
    wakeUps.notify(['ItemAddedToCart'])
    await other.wait(0, soon)
    expect(pulse.count()).toBe(2)
  })

  it('is not woken any more when it has left', () => {
    const wakeUps = createSubscriberSignals()
    const { signal: pulse, leave } = wakeUps.join({ types: ['OrderPaid'] })
    leave()
    wakeUps.notify(['OrderPaid'])
    expect(pulse.count()).toBe(0)
  })
})

describe('whoever wants everything, or streams', () => {
  it.each([undefined, { streamPrefixes: ['order-'] }])('is woken at once: %j', filter => {
    const wakeUps = createSubscriberSignals()
    const { signal: pulse } = wakeUps.join(filter)
    wakeUps.notify(['ItemAddedToCart'])
    expect(pulse.count()).toBe(1)
  })
})

describe('what PostgreSQL tells of an append', () => {
  let database: TestDatabase
  let pool: Pool
  beforeAll(async () => {
    database = await testDatabase()
    pool = createPool(database.url)
  })
  afterAll(async () => {
    await pool?.end()
    await database?.drop()
  })

  it.each([
    ['the type of one event', ['OrderPaid'], 'OrderPaid'],
    ['each type once', ['OrderPaid', 'OrderShipped', 'OrderPaid'], 'OrderPaid,OrderShipped'],
    // A notification of 8,000 bytes would fail the append.
    ['nothing where that would be too long', typesOfMany(), ''],
  ])('is %s', async (_, types, told) => {
    const session = await pool.connect()
    const store = postgresEventStore(pool)
    try {
      const heard: (string | undefined)[] = []
      session.onNotification(payload => heard.push(payload))
      await session.query('listen eventstore')
      const events = types.map(type => ({ id: randomUUID(), type, data: {}, metadata: {} }))
      await store.append(`order-${randomUUID()}`, 'no-stream', events)
      await waitFor('the notification', async () => heard.length > 0)
      expect(heard).toEqual([told])
    } finally {
      session.release(true)
      await store.close()
    }
  })
})

function typesOfMany(): string[] {
  return Array.from({ length: 200 }, (_, nth) => `${nth}`.padEnd(50, 'x'))
}
