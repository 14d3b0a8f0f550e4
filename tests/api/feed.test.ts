// The live feed of a process: what it hears is passed on where it follows, and looked up where not.

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { NotificationFeed } from '../../src/api/http/context.ts'
import { createNotificationFeed } from '../../src/api/realtime/feed.ts'
import { openStream } from '../../src/api/realtime/orderStream.ts'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import type { Position } from '../../src/kit/position.ts'
import type { Notification } from '../../src/projections/order/orderNotifications.ts'
import { notificationSender } from '../../src/projections/order/orderNotifications.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { moved, positionAt } from '../support/positions.ts'
import { orderId, sampleId, sampleNotification } from '../support/samples.ts'
import { waitFor } from '../support/waitFor.ts'

let database: TestDatabase
let pool: Pool
let db: Database
let feed: NotificationFeed
let next = positionAt(0)
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url, { size: 2 })
  db = createDatabase(pool)
})
afterEach(() => feed?.close())
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

function notification(): Notification {
  next = moved(next, 1)
  return sampleNotification(next)
}

async function write(...news: Notification[]) {
  for (const { position, customerId, orderNumber, status, previousStatus, at } of news) {
    await pool.query(
      `insert into notifications
        (position, customer_id, order_id, order_number, status, previous_status, at)
        values ($1, $2, $3, $4, $5, $6, $7)`,
      [position, customerId, orderId, orderNumber, status, previousStatus, at],
    )
  }
}

/** A feed, what reaches a follower of it, and a projector that calls it. */
async function start() {
  feed = await createNotificationFeed(db)
  const heard: Notification[] = []
  feed.subscribe({ customerId: sampleId(5), deliver: each => heard.push(each) })
  const send = notificationSender(text => feed.receive(text))
  const tell = (notifications: Notification[]) => send([notifications])
  return { heard, tell }
}

describe('news that a projector tells', () => {
  it('are passed on at once where they follow on what is known', async () => {
    const { heard, tell } = await start()
    const [first, second] = [notification(), notification()]
    await write(first)
    tell([first])
    await waitFor('what is new', () => heard.length === 1)
    // Not in the table: it has not been looked up.
    tell([second])
    await waitFor('what was told', () => heard.length === 2)
    expect(heard).toEqual([first, second])
  })

  it('are looked up where something is missing before them, and come in order', async () => {
    const { heard, tell } = await start()
    const [first, lost, last] = [notification(), notification(), notification()]
    tell([lost])
    await write(first, lost, last)
    tell([last])
    await waitFor('what is new', () => heard.length === 3)
    expect(heard).toEqual([first, lost, last])
  })

  it('are passed on once, however often they come', async () => {
    const { heard, tell } = await start()
    const [first, second] = [notification(), notification()]
    await write(first, second)
    tell([first])
    await waitFor('what is new', () => heard.length === 2)
    tell([second])
    await pause(600)
    expect(heard).toEqual([first, second])
  })

  it('are found without a call, too', async () => {
    const { heard } = await start()
    const only = notification()
    await write(only)
    await waitFor('what is new', () => heard.length === 1)
    expect(heard).toEqual([only])
  })

  it('are looked up where what was told cannot be read', async () => {
    const { heard } = await start()
    const only = notification()
    await write(only)
    feed.receive('hello')
    await waitFor('what is new', () => heard.length === 1)
    expect(heard).toEqual([only])
  })
})

it.each([
  [true, 1],
  [false, 0],
])('what was missed is told where its reader may hear it still (%s)', async (may, messages) => {
  feed = await createNotificationFeed(db)
  const missed = notification()
  await write(missed)
  const eventStore = { head: async () => missed.position }
  const told: object[] = []
  // It needs no more of a shop than this.
  const stream = openStream({ feed, eventStore } as never, {
    customerId: sampleId(5),
    write: message => told.push(message),
    mayReceive: async () => may,
  })
  await stream.resume(moved(missed.position, -1))
  expect(told).toHaveLength(messages)
  stream.end()
})

it('what comes while a client is caught up is told behind what it has missed', async () => {
  feed = await createNotificationFeed(db)
  const [missed, live] = [notification(), notification()]
  await write(missed)
  const told: Position[] = []
  let goOn = () => {}
  const answered = new Promise<void>(resolve => {
    goOn = resolve
  })
  let asked = 0
  const eventStore = { head: async () => live.position }
  const stream = openStream({ feed, eventStore } as never, {
    customerId: sampleId(5),
    write: message => told.push(positionAt(BigInt(Object(message).position))),
    // While rights are looked up for what was missed, a live message comes in between.
    mayReceive: async () => {
      asked += 1
      if (asked === 1) await answered
      return true
    },
  })
  const resuming = stream.resume(moved(missed.position, -1))
  await waitFor('the rights to be asked for', () => asked > 0)
  // What was missed may come as news, too.
  const before = asked
  await write(live)
  await waitFor('the live one to be on its way', () => asked > before)
  goOn()
  await resuming
  await waitFor('the live one', () => told.includes(live.position))
  expect(told).toEqual([missed.position, live.position])
  stream.end()
})
