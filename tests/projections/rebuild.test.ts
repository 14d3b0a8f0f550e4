// Rebuilding a projection leaves its tables as they were, while the shop goes on.
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Position } from '../../src/kit/position.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import type { EventProjection, Projection } from '../../src/projections/core/projection.ts'
import { projections } from '../../src/projections/index.ts'
import type { Rebuilt } from '../../src/projections/rebuild/context.ts'
import { BeingRebuilt, rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rebuildStates, request } from '../../src/projections/rebuild/rebuildStates.ts'
import { rollBack } from '../../src/projections/rebuild/swap.ts'
import { stockProjection } from '../../src/projections/stock/stock.ts'
import { snapshot } from '../../src/workers/audit/projectionCheck.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { atRest, findings } from '../support/auditing.ts'
import { newOrder } from '../support/goods.ts'
import { moved, positionAt } from '../support/positions.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'
import { runAsSuperuser } from '../support/tampering.ts'
import { waitFor } from '../support/waitFor.ts'

let traffic: Traffic
beforeAll(async () => {
  traffic = await shopWithTraffic()
  for (let round = 0; round < 3; round += 1) await doBusiness(traffic)
  await atRest(traffic.app.back)
})
afterAll(() => traffic?.app.close())

/** The worker of the shop looks at times whether a rebuild was left half done, and is at it. */
async function rebuildNow(projection: Projection): Promise<Rebuilt[]> {
  return waitFor('the worker to have looked', () =>
    rebuildOnce(projection).catch(error => {
      if (error instanceof BeingRebuilt) return undefined
      throw error
    }),
  )
}

function rebuildOnce(projection: Projection) {
  const { back } = traffic.app
  return rebuild(back.db, [projection], { ...rebuildLog(back), onProgress: () => undefined })
}

/** Whether somebody waits for a lock on a table. */
async function waitingFor(table: string): Promise<boolean> {
  const { rows } = await traffic.app.back.pool.query(
    'select 1 from pg_locks where relation = $1::regclass and not granted',
    [table],
  )
  return rows.length > 0
}

describe.each(projections.map(each => [each.name, each] as const))('rebuilding %s', (_, each) => {
  it('leaves every table equal', async () => {
    const { back } = traffic.app
    const before = await snapshot(back.db, each, 'readmodel')
    await rebuildNow(each)
    const after = await snapshot(back.db, each, 'readmodel')
    expect(after.tables).toEqual(before.tables)
    expect([...after.tables.values()].some(({ rows }) => rows > 0)).toBe(true)
  })

  it('leaves indexes and constraints as they were, however often', async () => {
    const { pool } = traffic.app.back
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

const numbered = (name: string) => {
  const projection = projections.find(each => each.name === name)
  if (projection === undefined) throw new Error(`no projection ${name}`)
  return projection
}

describe('a rebuild', () => {
  it('says that the new tables are equal to the old ones, and where they are not', async () => {
    const { back } = traffic.app
    const orders = numbered('orders')
    expect(await rebuildNow(orders)).toMatchObject([{ name: 'orders', matches: true }])
    await back.pool.query(`update readmodel.orders set country = 'Nowhere'`)
    expect(await rebuildNow(orders)).toMatchObject([{ name: 'orders', matches: false }])
    const { rows } = await back.pool.query(`select 1 from orders where country = 'Nowhere'`)
    expect(rows).toEqual([])
  })

  it('can be taken back, and what happened since is caught up with', async () => {
    const { app, person, productId } = traffic
    const { back } = app
    const orders = numbered('orders')
    await rebuildNow(orders)
    const { orderId } = (await newOrder(person, productId)).body
    await atRest(back)
    const before = await snapshot(back.db, orders, 'readmodel')
    expect(await rollBack(back.db, orders)).toMatchObject({ version: orders.version })
    await atRest(back)
    expect((await snapshot(back.db, orders, 'readmodel')).tables).toEqual(before.tables)
    const { rows } = await back.pool.query('select 1 from orders where order_id = $1', [orderId])
    expect(rows).toHaveLength(1)
    // And back again.
    await rollBack(back.db, orders)
    await atRest(back)
    expect((await snapshot(back.db, orders, 'readmodel')).tables).toEqual(before.tables)
    expect(await rollBack(back.db, orders, orders.version + 7)).toBeUndefined()
  })

  it('has the database clean up the tables that serve, and leave the others alone', async () => {
    const { back } = traffic.app
    const orders = numbered('orders')
    /** Whether it cleans up by itself, and whether it knows what is there, by schema. */
    const looked = async () => {
      const { rows } = await back.pool.query<{ schema: string; auto: boolean; known: boolean }>(
        `select relnamespace::regnamespace::text as schema, reltuples > 0 as known,
           coalesce(not 'autovacuum_enabled=false' = any(reloptions), true) as auto
         from pg_class where relname = 'orders' and relkind = 'r' order by schema`,
      )
      return rows
    }
    await rebuildNow(orders)
    const [previous, serving] = await looked()
    expect(previous).toMatchObject({ schema: 'previous_orders', auto: false })
    expect(serving).toEqual({ schema: 'readmodel', auto: true, known: true })
    await rollBack(back.db, orders)
    expect(await looked()).toMatchObject([{ auto: false }, { auto: true }])
    await rollBack(back.db, orders)
  })

  it('lets everybody read while it waits for who cleans up the old tables', async () => {
    const { back } = traffic.app
    const cleaner = await back.pool.connect()
    await cleaner.query('begin; lock table readmodel.orders in share update exclusive mode')
    const rebuilding = rebuildNow(numbered('orders'))
    try {
      await vi.waitFor(async () => expect(await waitingFor('readmodel.orders')).toBe(true), 10_000)
      const { rows } = await back.pool.query('select count(*)::integer as found from orders')
      expect(rows).toMatchObject([{ found: expect.any(Number) }])
      expect(await waitingFor('readmodel.orders')).toBe(true)
    } finally {
      await cleaner.query('commit')
      cleaner.release()
      await rebuilding
    }
    expect(await rebuilding).toMatchObject([{ matches: true }])
  })

  it('parks what it cannot apply, and writes everything else', async () => {
    const { back } = traffic.app
    const stock = stockProjection
    const movements = async () => {
      const { rows } = await back.pool.query<{ position: Position; stream: string }>(
        `select position, 'stock-' || product_id as stream from stock_movements order by position`,
      )
      return rows
    }
    const all = await movements()
    const bad = all[1]
    const faulty: EventProjection = {
      ...stock,
      async plan(events, db) {
        if (events.some(({ position }) => position === bad?.position)) throw new Error('a bug')
        return stock.plan(events, db)
      },
    }
    expect(await rebuildNow(faulty)).toMatchObject([{ name: 'stock', matches: false }])
    const isKept = ({ position, stream }: { position: Position; stream: string }) =>
      stream !== bad?.stream || position < bad.position
    expect(all.every(isKept)).toBe(false)
    expect(await movements()).toEqual(all.filter(isKept))
    const { rows } = await back.pool.query(
      `select error from shop.parked_events where name = 'stock' order by position limit 1`,
    )
    expect(rows).toEqual([{ error: 'Error: a bug' }])
    await rebuildNow(stock)
    expect(await movements()).toEqual(all)
    await atRest(back)
  })

  it('of rows that are added twice leaves the old tables, and the next begins anew', async () => {
    const { back } = traffic.app
    const stock = stockProjection
    const before = await snapshot(back.db, stock, 'readmodel')
    const twice: EventProjection = {
      ...stock,
      async plan(events, db) {
        const plan = await stock.plan(events, db)
        return { ...plan, writes: [...plan.writes, ...plan.writes] }
      },
    }
    await expect(rebuildNow(twice)).rejects.toMatchObject({ code: '23505' })
    expect((await snapshot(back.db, stock, 'readmodel')).tables).toEqual(before.tables)
    expect(await rebuildNow(stock)).toMatchObject([{ matches: true }])
    await atRest(back)
  })

  it('that was interrupted goes on where it was', async () => {
    const { back } = traffic.app
    const orders = numbered('orders')
    const before = await snapshot(back.db, orders, 'readmodel')
    const log = rebuildLog(back)
    const seen: Position[] = []
    /** In small steps, of which the third fails or is recorded. */
    const inSteps = (isCut: boolean) =>
      rebuild(back.db, [orders], {
        head: log.head,
        streams: log.streams,
        async *read(chosen, { after, upTo }) {
          seen.push(after)
          for (let from = after, step = 1; from < upTo; from = moved(from, 20), step += 1) {
            if (isCut && step === 3) throw new Error('gone')
            const to = moved(from, 20) < upTo ? moved(from, 20) : upTo
            for await (const batch of log.read(chosen, { after: from, upTo: to })) yield batch
          }
        },
        onProgress: () => undefined,
      })
    await expect(inSteps(true)).rejects.toThrow('gone')
    expect((await snapshot(back.db, orders, 'readmodel')).tables).toEqual(before.tables)
    const [state] = await rebuildStates(back.db, 'orders')
    expect(state).toMatchObject({ state: 'failed', position: positionAt(40), error: 'Error: gone' })
    seen.length = 0
    expect(await inSteps(false)).toMatchObject([{ matches: true }])
    expect(seen[0]).toBe(positionAt(40))
    expect((await snapshot(back.db, orders, 'readmodel')).tables).toEqual(before.tables)
  })

  it('finds tables equal whose rows had only been forgotten in another order', async () => {
    const { back } = traffic.app
    const customers = numbered('customers')
    const log = rebuildLog(back)
    const name = sql<{ username: string }>`
      update readmodel.customers set username = upper(username)
      where customer_id = (select customer_id from readmodel.customers order by 1 limit 1)
      returning username
    `
    const before = await snapshot(back.db, customers, 'readmodel')
    await name.execute(back.db)
    const [rebuilt] = await rebuild(back.db, [customers], {
      ...log,
      async *read(chosen, range) {
        // The old tables have been summed up by now, and are as the new ones will be.
        await sql`
          update readmodel.customers set username = lower(username)
          where customer_id = (select customer_id from readmodel.customers order by 1 limit 1)
        `.execute(back.db)
        yield* log.read(chosen, range)
      },
      onProgress: () => undefined,
    })
    expect(rebuilt).toMatchObject({ matches: true, differences: [] })
    expect((await snapshot(back.db, customers, 'readmodel')).tables).toEqual(before.tables)
  })

  it('that the database has cut is gone on with by a worker, unasked', async () => {
    const { back } = traffic.app
    const orders = numbered('orders')
    const cut = rebuild(back.db, [orders], {
      ...rebuildLog(back),
      // biome-ignore lint/correctness/useYield: it fails before it reads anything.
      async *read() {
        throw new Unavailable('the database has gone')
      },
      onProgress: () => undefined,
    })
    await expect(cut).rejects.toThrow('the database has gone')
    await waitFor('the rebuild to be done', async () => {
      const [state] = await rebuildStates(back.db, 'orders')
      return state?.state === 'done' && state.matches === true
    })
  })

  it('of several at once reads the log once and leaves all of them equal', async () => {
    const { back } = traffic.app
    const log = rebuildLog(back)
    let reads = 0
    const rebuilt = await rebuild(back.db, projections, {
      ...log,
      read(chosen, range) {
        if (chosen.length > 1) reads += 1
        return log.read(chosen, range)
      },
      onProgress: () => undefined,
    })
    expect(reads).toBe(1)
    expect(rebuilt.map(({ matches }) => matches)).toEqual(projections.map(() => true))
  })

  it('is refused where somebody is at it already', async () => {
    const { back } = traffic.app
    const orders = numbered('orders')
    const both = await Promise.allSettled([rebuildOnce(orders), rebuildOnce(orders)])
    const refused = both.filter(each => each.status === 'rejected')
    expect(refused[0]).toMatchObject({ reason: { name: 'BeingRebuilt' } })
    await atRest(back)
  })
})

describe('a rebuild of a log that lacks events', () => {
  const stock = stockProjection
  const customers = numbered('customers')
  const eventIndex = numbered('eventIndex')
  let stream = ''
  const copies = 'shop.lost_events'
  const events = 'eventstore.events'
  beforeAll(async () => {
    const { back } = traffic.app
    await atRest(back)
    // Else the signer could come by while they are out, and would find them added later.
    await waitFor('the log to be signed', async () => {
      const { rows } = await back.pool.query(`select coalesce(max(position), 0) >=
        (select max(position) from eventstore.events) as done from shop.audit_checkpoints`)
      return rows[0]?.done === true
    })
    stream = `stock-${traffic.productId}`
  })

  /** Takes events out of the log as a superuser can; they are put back afterwards. */
  async function lose(which: string): Promise<void> {
    const { pool } = traffic.app.back
    await runAsSuperuser(pool, [
      `create table ${copies} as select * from ${events} where ${which}`,
      `delete from ${events} where ${which}`,
    ])
    onTestFinished(() =>
      runAsSuperuser(pool, [
        `insert into ${events} overriding system value select * from ${copies}`,
        `drop table ${copies}`,
      ]),
    )
  }
  const rowsOf = async (projection: Projection) =>
    (await snapshot(traffic.app.back.db, projection, 'readmodel')).tables
  const names = (fault: string) => ({ count: 1, first: [{ stream, fault }] })

  it.for([
    ['its first event', 'revision = 0', 'event 0 is missing'],
    ['events within', 'revision in (1, 2)', 'events 1 to 2 are missing'],
    [
      'its last event',
      'revision = (select max(revision) from eventstore.events where stream = %s)',
      /^event \d+ is missing$/,
    ],
    ['all of them', 'true', /^events 0 to \d+ are missing$/],
  ] as const)('stops before the old tables go: %s', async ([, which, fault]) => {
    await lose(`stream = '${stream}' and ${which.replace('%s', `'${stream}'`)}`)
    const before = await rowsOf(stock)
    const broken = { count: 1, first: [{ stream, fault: expect.stringMatching(fault) }] }
    expect(await rebuildNow(stock)).toMatchObject([{ serves: false, broken }])
    expect(await rowsOf(stock)).toEqual(before)
    const [state] = await rebuildStates(traffic.app.back.db, 'stock')
    expect(state).toMatchObject({
      state: 'failed',
      brokenStreams: broken,
      error: expect.stringContaining(`${stream} (`),
    })
    // The others, which do not read it, are no worse for it.
    expect(await rebuildNow(customers)).toMatchObject([{ serves: true, matches: true }])
    expect(await rebuildNow(eventIndex)).toMatchObject([{ serves: false }])
  })

  it('replaces the tables of those that do not read the stream, of several at once', async () => {
    await lose(`stream = '${stream}' and revision = 3`)
    const { back } = traffic.app
    const rebuilt = await rebuild(back.db, [stock, customers], {
      ...rebuildLog(back),
      onProgress: () => undefined,
    })
    const served = new Map(rebuilt.map(({ name, serves }) => [name, serves]))
    expect(served).toEqual(
      new Map([
        ['stock', false],
        ['customers', true],
      ]),
    )
  })

  it('knows of what was read before it was cut', async () => {
    const { back } = traffic.app
    await lose(`stream = '${stream}' and revision = 1`)
    const log = rebuildLog(back)
    const cut = rebuild(back.db, [stock], {
      ...log,
      async *read(chosen, { after }) {
        yield* log.read(chosen, { after, upTo: positionAt(60) })
        throw new Error('gone')
      },
      onProgress: () => undefined,
    })
    await expect(cut).rejects.toThrow('gone')
    expect(await rebuildNow(stock)).toMatchObject([
      { serves: false, broken: names('event 1 is missing') },
    ])
  })

  it('goes into service where that is accepted, and says what it lacks', async () => {
    const { back } = traffic.app
    await lose(`stream = '${stream}' and revision = 1`)
    const broken = names('event 1 is missing')
    await request(back.db, stock, { acceptsBroken: true })
    await waitFor('the worker', async () => {
      const [state] = await rebuildStates(back.db, 'stock')
      return state?.state === 'done' && state.brokenStreams?.count === 1
    })
    // It was accepted once.
    expect(await rebuildNow(stock)).toMatchObject([{ serves: false, broken }])
  })

  it('of a new version goes into service: an old gap keeps nobody from upgrading', async () => {
    const { back } = traffic.app
    await lose(`stream = '${stream}' and revision = 1`)
    await back.pool.query(`delete from shop.previous_tables where name = 'stock'`)
    await back.pool.query(`update shop.checkpoints set version = 1000 where name = 'stock'`)
    await waitFor('the worker', async () => {
      const [state] = await rebuildStates(back.db, 'stock')
      return state?.state === 'done' && state.brokenStreams?.first[0]?.stream === stream
    })
  })

  it('begins anew once the events are back', async () => {
    expect(await rebuildNow(stock)).toMatchObject([{ serves: true, broken: { count: 0 } }])
    expect(await rebuildNow(eventIndex)).toMatchObject([{ serves: true, matches: true }])
  })
})

describe('rebuilding while orders come in', () => {
  it('misses none of them, and nobody sees an empty shop', async () => {
    const { app, person, productId } = traffic
    const busy = { now: true }
    const orders: string[] = []
    const totals: number[] = []
    const shopping = (async () => {
      while (busy.now) orders.push((await newOrder(person, productId)).body.orderId)
    })()
    const reading = (async () => {
      while (busy.now) totals.push((await person.client.get('/orders')).body.total)
    })()
    const rebuilt: Rebuilt[] = []
    for (const projection of projections) rebuilt.push(...(await rebuildNow(projection)))
    busy.now = false
    await Promise.all([shopping, reading])
    expect(rebuilt.map(({ matches }) => matches)).toEqual(projections.map(() => true))
    await atRest(app.back)
    expect(await findings(app.back)).toEqual([])
    expect(orders.length).toBeGreaterThan(projections.length)
    expect(totals).toEqual(totals.toSorted((a, b) => a - b))
    const last = await person.client.get(`/orders/${orders.at(-1)}`)
    expect(last.status).toBe(200)
  }, 60_000)
})
