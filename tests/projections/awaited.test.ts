// Workers of two releases on one log: what the older one cannot read waits for the newer one, for
// each follower in the order of each stream, and the index of events holds all of it.

import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { Id, Payload, ShortText } from '../../src/domain/kernel/types.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import type { Codec } from '../../src/ports/codec.ts'
import { type JsonObject, readStream } from '../../src/ports/eventStore.ts'
import { eventIndex } from '../../src/projections/audit/eventIndex.ts'
import { defineReaction, type Reaction } from '../../src/projections/core/projection.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { checkProjection } from '../../src/workers/audit/projectionCheck.ts'
import { readBatches, rebuildLog } from '../../src/workers/projector/logReader.ts'
import { createProgress } from '../../src/workers/projector/progress.ts'
import { startProjector } from '../../src/workers/projector/projector.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { testSeals } from '../support/testSeals.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
const stops: (() => Promise<void>)[] = []
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(() => app?.close())

/** Version 1 of OrderShipped, as the release before had it. */
const shippedBefore = Payload({ orderId: Id, tracking: Type.Optional(ShortText) })
const wrapped = Payload({ orderId: Id })
const seals = testSeals()
const older = createCodec({ ...eventSchemas, OrderShipped: shippedBefore }, seals)
const newer = createCodec({ ...eventSchemas, OrderGiftWrapped: wrapped }, seals)

/** Writes an event as some release has written it. */
async function append(stream: string, type: string, event: { v: unknown; data: JsonObject }) {
  const plain = { type: 'OrderDelivered', data: { orderId: randomUUID() } } as const
  const envelope = systemEnvelope('a release', new Date('2026-01-02T03:04:05.678Z'))
  const good = await newer.encode(plain, randomUUID(), envelope)
  const metadata = { ...good.metadata, v: event.v }
  const written = { ...good, type, data: event.data, metadata }
  return app.back.eventStore.append(stream, 'any', [written])
}

/** A reaction that notes what it is told of one order; the newer release reads gift wrapping. */
function noting(name: string, orderId: string, types: readonly string[]) {
  const noted: string[] = []
  // Also types that only the newer release has.
  const on: Reaction['on'] = JSON.parse(JSON.stringify(types))
  const reaction = defineReaction({
    name,
    on,
    async plan(events) {
      const own = events.filter(({ stream }) => stream === `order-${orderId}`)
      const work = async () => void noted.push(...own.map(event => event.type))
      return { writes: [], work }
    },
  })
  return { noted, reaction }
}

async function following(codec: Codec, reaction: Reaction, upTo: Position) {
  const { db, eventStore } = app.back
  const projector = startProjector({
    db,
    eventStore,
    codec,
    projections: [],
    reactions: [reaction],
    runner: randomUUID(),
    progress: createProgress(),
    onCommitted: async () => undefined,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  stops.push(projector.stop)
  await waitFor('the reaction to be there', async () => {
    const { rows } = await app.back.pool.query<{ position: Position }>(
      'select position from shop.checkpoints where name = $1',
      [reaction.name],
    )
    return (rows[0]?.position ?? startOfLog) >= upTo
  })
  return projector
}

const parked = async (name: string) => {
  const { rows } = await app.back.pool.query<{ type: string; awaits: string | null }>(
    'select type, awaits from shop.parked_events where name = $1 order by position',
    [name],
  )
  return rows
}

const types = ['OrderGiftWrapped', 'OrderShipped', 'OrderDelivered']

describe('a reaction', () => {
  it.each([
    ['a type', 'OrderGiftWrapped', 1, {}],
    ['a version', 'OrderShipped', 2, { tracking: null }],
  ])('that did not know %s is told of it by the release that does', async (_, type, v, more) => {
    const orderId = randomUUID()
    await append(`order-${orderId}`, type, { v, data: { orderId, ...more } })
    const { position } = await append(`order-${orderId}`, 'OrderDelivered', {
      v: 1,
      data: { orderId },
    })
    const before = noting(`noting ${type}`, orderId, types.slice(1))
    const old = await following(older, before.reaction, position)
    await old.stop()
    expect(await parked(before.reaction.name)).toContainEqual({ type, awaits: `${type}@${v}` })
    const after = noting(before.reaction.name, orderId, types)
    await following(newer, after.reaction, position)
    await waitFor('nothing to be parked', async () => {
      const left = await parked(before.reaction.name)
      return left.length === 0
    })
    expect(before.noted).toEqual([])
    expect(after.noted).toEqual([type, 'OrderDelivered'])
  })

  it('goes on without what the newer release does not tell it of', async () => {
    const orderId = randomUUID()
    const { position } = await append(`order-${orderId}`, 'OrderGiftWrapped', {
      v: 1,
      data: { orderId },
    })
    const on = noting('not told', orderId, ['OrderShipped'])
    await (await following(older, on.reaction, position)).stop()
    expect(await parked('not told')).not.toEqual([])
    await following(newer, on.reaction, position)
    await waitFor('nothing to be parked', async () => (await parked('not told')).length === 0)
    expect(on.noted).not.toContain('OrderGiftWrapped')
  })
})

describe('two releases of OrderShipped on one log', () => {
  it('are both read by the newer one; the older one waits for it', async () => {
    const orderId = randomUUID()
    const stream = `order-${orderId}`
    await append(stream, 'OrderShipped', { v: 1, data: { orderId } })
    await append(stream, 'OrderShipped', { v: 1, data: { orderId, tracking: 'RM 1' } })
    await append(stream, 'OrderShipped', { v: 2, data: { orderId, tracking: null } })
    const read: unknown[] = []
    const said: unknown[] = []
    for await (const recorded of readStream(app.back.eventStore, stream)) {
      read.push((await newer.decode(recorded)).data)
      said.push(await Promise.resolve(older.decode(recorded)).then(({ data }) => data, String))
    }
    expect(read).toEqual([
      { orderId, tracking: null },
      { orderId, tracking: 'RM 1' },
      { orderId, tracking: null },
    ])
    expect(said.slice(0, 2)).toEqual([{ orderId }, { orderId, tracking: 'RM 1' }])
    expect(said[2]).toMatch(/^UnknownEvent: .*version 2 is not known$/)
  })
})

describe('an event that nobody can read', () => {
  it.each([
    ['of an unknown type', 'OrderGiftWrapped', 1, (orderId: string) => ({ orderId })],
    ['of a newer version', 'OrderDelivered', 9, (orderId: string) => ({ orderId })],
    ['with a payload that does not fit', 'OrderDelivered', 1, () => ({ nothing: 'here' })],
    ['without a version', 'OrderDelivered', null, () => ({})],
  ])('is in the index: %s', async (_, type, v, dataOf) => {
    const { orderId } = (await newOrder(person, productId)).body
    const { position } = await append(`order-${orderId}`, type, { v, data: dataOf(orderId) })
    await waitFor('the index to be there', async () => {
      const { rows } = await app.back.pool.query<{ position: Position }>(
        `select position from shop.checkpoints where name = 'eventIndex'`,
      )
      return (rows[0]?.position ?? startOfLog) >= position
    })
    const second = 'from=2026-01-02T03:04:05Z&to=2026-01-02T03:04:06Z'
    const query = `stream=order-${orderId}&type=${type}&${second}`
    const { body } = await app.admin.client.get(`/audit/events?${query}`)
    expect(body.data).toMatchObject([{ position: String(position), type, readable: false }])
    expect(await parked('eventIndex')).toEqual([])
  })

  it('is in an index that is built anew, which is equal', async () => {
    const { db, eventStore, codec } = app.back
    const parts = { eventStore, codec }
    const checked = await checkProjection(
      {
        db,
        end: () => eventStore.head(),
        read: (projection, after) => readBatches(parts, [projection], { after }),
      },
      eventIndex,
    )
    expect(checked).toMatchObject({ findings: [] })
    await app.stop()
    const log = rebuildLog(parts)
    const [rebuilt] = await rebuild(db, [eventIndex], { ...log, onProgress: () => undefined })
    expect(rebuilt).toMatchObject({ matches: true })
    const { rows } = await app.back.pool.query<{ missing: string }>(
      `select e.type as missing from eventstore.events e
       where not exists (select 1 from event_index i where i.position = e.position)`,
    )
    expect(rows).toEqual([])
  })
})
