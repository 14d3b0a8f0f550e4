// Projections run once, however many try, whoever takes over, and however often they are stopped.

import { setTimeout as pause } from 'node:timers/promises'
import { CompiledQuery, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import {
  acquire,
  ensureCheckpoints,
  LeaseLost,
  renew,
} from '../../src/projections/core/checkpoints.ts'
import { commitBatch } from '../../src/projections/core/engine.ts'
import { type Item, placeOf } from '../../src/projections/core/items.ts'
import type { Plan } from '../../src/projections/core/plan.ts'
import type { Projection } from '../../src/projections/core/projection.ts'
import { projections } from '../../src/projections/index.ts'
import { stockProjection } from '../../src/projections/stock/stock.ts'
import { type Snapshot, snapshot } from '../../src/workers/audit/projectionCheck.ts'
import { readBatches } from '../../src/workers/projector/logReader.ts'
import { createProgress } from '../../src/workers/projector/progress.ts'
import { startProjector } from '../../src/workers/projector/projector.ts'
import { atRest, findings } from '../support/auditing.ts'
import { positionAt } from '../support/positions.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'
import { waitFor } from '../support/waitFor.ts'

let traffic: Traffic
let expected: Map<string, Snapshot>
const seed = Number(process.env.PROJECTION_SEED ?? Date.now() % 1_000_000_000)

beforeAll(async () => {
  traffic = await shopWithTraffic()
  for (let round = 0; round < 3; round += 1) await doBusiness(traffic)
  await atRest(traffic.app.back)
  await traffic.app.stop()
  expected = await snapshots()
})
afterAll(() => traffic?.app.close())

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

async function snapshots(): Promise<Map<string, Snapshot>> {
  const { db } = traffic.app.back
  const all = new Map<string, Snapshot>()
  for (const each of projections) all.set(each.name, await snapshot(db, each, 'readmodel'))
  return all
}

async function forgetAll(): Promise<void> {
  const { pool } = traffic.app.back
  for (const table of projections.flatMap(each => each.tables)) {
    await pool.query(`truncate readmodel.${table}`)
  }
  await pool.query('update shop.checkpoints set position = 0, runner = null, leased_until = null')
  await pool.query('delete from shop.parked_events')
}

function runner(name: string, chosen: readonly Projection[] = projections) {
  const { db, eventStore, codec } = traffic.app.back
  return startProjector({
    db,
    eventStore,
    codec,
    projections: chosen,
    runner: name,
    progress: createProgress(),
    onCommitted: async () => undefined,
    log: silent,
  })
}

const caughtUp = () =>
  waitFor('the projections', async () => {
    const head = await traffic.app.back.eventStore.head()
    const { rows } = await traffic.app.back.pool.query<{ late: bigint }>(
      'select count(*) as late from shop.checkpoints where position < $1 and name = any($2)',
      [head, projections.map(each => each.name)],
    )
    return rows[0]?.late === 0n
  })

/** What a server that is shut down says, behind the writes of a batch and before its commit. */
const dying = CompiledQuery.raw(
  `do $$ begin raise exception 'terminating connection' using errcode = '57P01'; end $$`,
)

const tablesOf = (all: Map<string, Snapshot>) =>
  [...all].map(([name, { tables, parked }]) => ({ name, tables, parked }))

describe('two runners', () => {
  it('come to what one comes to, even when the lease is torn away in the middle', async () => {
    await forgetAll()
    const [first, second] = [runner('first'), runner('second')]
    for (let times = 0; times < 15; times += 1) {
      await pause(20)
      await traffic.app.back.pool.query(
        `update shop.checkpoints set epoch = epoch + 1, runner = null, leased_until = null`,
      )
    }
    await caughtUp()
    await Promise.all([first.stop(), second.stop()])
    expect(tablesOf(await snapshots())).toEqual(tablesOf(expected))
  })

  it('take over from each other within seconds of a death', async () => {
    await forgetAll()
    const { db, pool } = traffic.app.back
    await acquire(db, projections, 'dead')
    const alive = runner('alive')
    await caughtUp()
    await alive.stop()
    expect(tablesOf(await snapshots())).toEqual(tablesOf(expected))
    const { rows } = await pool.query(`select 1 from shop.checkpoints where runner = 'alive'`)
    expect(rows).toEqual([])
  })
})

describe('a runner that is stopped and started again', () => {
  it('loses nothing and repeats nothing', async () => {
    await forgetAll()
    const random = randomFrom(seed)
    for (let times = 0; times < 15; times += 1) {
      const one = runner('one')
      await pause(random.between(0, 40))
      await one.stop()
    }
    const last = runner('one')
    await caughtUp()
    await last.stop()
    expect(tablesOf(await snapshots()), `seed ${seed}`).toEqual(tablesOf(expected))
  })
})

/** Every event that a projection reads, in batches of random sizes. */
async function randomBatches(projection: Projection, random: Random) {
  const { eventStore, codec } = traffic.app.back
  const items: Item[] = []
  for await (const batch of readBatches({ eventStore, codec }, [projection], {
    after: startOfLog,
  })) {
    items.push(...batch.items)
  }
  const batches: { items: Item[]; position: Position }[] = []
  while (items.length > 0) {
    const part = items.splice(0, random.between(1, 7))
    const last = part.at(-1)
    const position = last && 'event' in last ? last.event.position : positionAt(0)
    batches.push({ items: part, position })
  }
  return batches
}

describe('batches of any size, each delivered up to five times', () => {
  it.each(projections.map(each => [each.name, each] as const))(
    'make %s the same',
    async (_, each) => {
      const random = randomFrom(seed)
      const { db } = traffic.app.back
      for (let round = 0; round < 3; round += 1) {
        await forgetAll()
        const [lease] = await acquire(db, [each], 'test')
        if (lease === undefined) throw new Error('somebody has the lease')
        const parking = {
          name: each.name,
          streams: new Set<string>(),
          onParked: () => undefined,
        }
        for (const batch of await randomBatches(each, random)) {
          const before = { ...lease }
          await commitBatch(db, [{ projection: each, lease, parking }], batch)
          for (let again = random.between(0, 4); again > 0; again -= 1) {
            const late = { projection: each, lease: { ...before }, parking }
            const repeated = commitBatch(db, [late], batch)
            await expect(repeated).rejects.toThrow(LeaseLost)
          }
        }
        const tables = (await snapshot(db, each, 'readmodel')).tables
        expect(tables, `seed ${seed}`).toEqual(expected.get(each.name)?.tables)
      }
    },
  )
})

describe('a database that fails now and then', () => {
  it('delays a projection and changes nothing', async () => {
    await forgetAll()
    const random = randomFrom(seed)
    /** The work fails before the commit, inside its transaction or among its statements. */
    const shake = async (planned: Promise<Plan>): Promise<Plan> => {
      const plan = await planned
      if (random.next() < 0.5) return plan
      if (random.next() < 0.5) return { ...plan, writes: [...plan.writes, dying] }
      const error = Object.assign(new Error('terminating connection'), { code: '57P01' })
      return { ...plan, work: () => Promise.reject(error) }
    }
    const shaky = projections.map(
      (each): Projection =>
        'planHeaders' in each
          ? { ...each, planHeaders: (...input) => shake(each.planHeaders(...input)) }
          : { ...each, plan: (...input) => shake(each.plan(...input)) },
    )
    const one = runner('one', shaky)
    await caughtUp()
    await one.stop()
    expect(tablesOf(await snapshots()), `seed ${seed}`).toEqual(tablesOf(expected))
    expect(await findings(traffic.app.back)).toEqual([])
  })
})

describe('a lease', () => {
  const other = { ...stockProjection, name: 'leased', tables: [], on: ['OrderPaid' as const] }
  const db = () => traffic.app.back.db
  const held = async () => {
    await ensureCheckpoints(db(), [other])
    await traffic.app.back.pool.query(`update shop.checkpoints
      set position = 0, runner = null, leased_until = null where name = 'leased'`)
    const [lease] = await acquire(db(), [other], 'first')
    if (lease === undefined) throw new Error('somebody has the lease')
    return lease
  }
  const lapse = () =>
    traffic.app.back.pool.query(
      `update shop.checkpoints set leased_until = now() - interval '1 second'
      where name = 'leased'`,
    )
  /** In seconds, as of the database; what has been written last is `updated`. */
  const left = async () => {
    const { rows } = await traffic.app.back.pool.query<{ left: number; updated: number }>(
      `select extract(epoch from leased_until - clock_timestamp())::float8 as left,
        extract(epoch from leased_until - updated_at)::float8 as updated
      from shop.checkpoints where name = 'leased'`,
    )
    return rows[0] ?? { left: 0, updated: 0 }
  }
  const one = async () => {
    const { eventStore, codec } = traffic.app.back
    for await (const { items } of readBatches({ eventStore, codec }, [other], {
      after: startOfLog,
    })) {
      const [item] = items
      if (item !== undefined) return { items: [item], position: placeOf(item).position }
    }
    throw new Error('nothing was paid')
  }
  const commit = async (work: NonNullable<Plan['work']>) => {
    const lease = await held()
    await lapse()
    const projection = { ...other, plan: async () => ({ writes: [], work }) }
    const parking = { name: 'leased', streams: new Set<string>(), onParked: () => undefined }
    await commitBatch(db(), [{ projection, lease, parking }], await one())
    return lease
  }

  it('lasts less than four seconds, and counts from the progress it is renewed for', async () => {
    const lease = await held()
    expect((await left()).left).toBeLessThanOrEqual(3.5)
    await lapse()
    await renew(db(), [lease], 3)
    const { left: rest } = await left()
    expect(rest).toBeLessThanOrEqual(0.5)
    await renew(db(), [lease], 60)
    expect((await left()).left).toBeLessThanOrEqual(rest)
  })

  it('is prolonged by a commit, for as long as that took', async () => {
    await commit(async trx => {
      await sql`select pg_sleep(1.2)`.execute(trx)
    })
    // Since the transaction began.
    expect((await left()).updated).toBeGreaterThan(4.5)
  })

  it('of a batch that is being written is nobody else’s, though it has lapsed', async () => {
    const taken: unknown[] = []
    await commit(async () => {
      taken.push(...(await acquire(db(), [other], 'second')))
    })
    expect(taken).toEqual([])
  })

  it('is held by a transaction no longer than its client speaks', async () => {
    let limit = ''
    await commit(async trx => {
      const { rows } = await sql<{ now: string }>`
        select current_setting('idle_in_transaction_session_timeout') as now`.execute(trx)
      limit = rows[0]?.now ?? ''
    })
    expect(limit).toBe('3s')
  })
})
