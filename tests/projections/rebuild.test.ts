// Rebuilding a projection leaves its tables as they were, while the shop goes on.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projections } from '../../src/projections/index.ts'
import type { Projection } from '../../src/projections/projection.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { snapshot } from '../../src/workers/audit/projectionCheck.ts'
import { logFor } from '../../src/workers/logReader.ts'
import { atRest, findings } from '../support/auditing.ts'
import { newOrder } from '../support/goods.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'

let traffic: Traffic
beforeAll(async () => {
  traffic = await shopWithTraffic()
  for (let round = 0; round < 3; round += 1) await doBusiness(traffic)
  await atRest(traffic.shop.back)
})
afterAll(() => traffic?.shop.close())

function rebuildNow(projection: Projection) {
  const { back } = traffic.shop
  return rebuild(back.db, [projection], { ...logFor(back), onProgress: () => undefined })
}

describe.each(projections.map(each => [each.name, each] as const))('rebuilding %s', (_, each) => {
  it('leaves every table equal', async () => {
    const { back } = traffic.shop
    const before = await snapshot(back.db, each, 'readmodel')
    await rebuildNow(each)
    const after = await snapshot(back.db, each, 'readmodel')
    expect(after.tables).toEqual(before.tables)
    expect([...after.tables.values()].some(({ rows }) => rows > 0)).toBe(true)
  })

  it('leaves indexes and constraints as they were, however often', async () => {
    const { pool } = traffic.shop.back
    const shape = async () => {
      const { rows } = await pool.query<{ definition: string }>(
        `select indexdef as definition from pg_indexes
         where schemaname = 'readmodel' and tablename = any($1)`,
        [each.tables],
      )
      // The first rebuild renames indexes after their columns; what they are stays.
      return rows.map(row => row.definition.replace(/INDEX \w+ ON/, 'INDEX ON')).sort()
    }
    const before = await shape()
    await rebuildNow(each)
    await rebuildNow(each)
    expect(await shape()).toEqual(before)
  })
})

describe('rebuilding while orders come in', () => {
  it('misses none of them, and nobody sees an empty shop', async () => {
    const { shop, person, productId } = traffic
    const busy = { now: true }
    const orders: string[] = []
    const totals: number[] = []
    const shopping = (async () => {
      while (busy.now) orders.push((await newOrder(person, productId)).body.orderId)
    })()
    const reading = (async () => {
      while (busy.now) totals.push((await person.client.get('/orders')).body.total)
    })()
    for (const projection of projections) await rebuildNow(projection)
    busy.now = false
    await Promise.all([shopping, reading])
    await atRest(shop.back)
    expect(await findings(shop.back)).toEqual([])
    expect(orders.length).toBeGreaterThan(projections.length)
    expect(totals).toEqual(totals.toSorted((a, b) => a - b))
    const last = await person.client.get(`/orders/${orders.at(-1)}`)
    expect(last.status).toBe(200)
  }, 60_000)
})
