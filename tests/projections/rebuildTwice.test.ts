// A rebuild whose session was cut while it lives on is fenced off by the one that begins after it.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ordersProjection } from '../../src/projections/order/orders.ts'
import { BeingRebuilt, rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rebuildStates } from '../../src/projections/rebuild/rebuildStates.ts'
import { snapshot } from '../../src/workers/audit/projectionCheck.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { rebuildDue } from '../../src/workers/projector/rebuilds.ts'
import { atRest } from '../support/auditing.ts'
import { moved, positionAt } from '../support/positions.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'
import { waitFor } from '../support/waitFor.ts'

let traffic: Traffic
beforeAll(async () => {
  traffic = await shopWithTraffic()
  await doBusiness(traffic)
  await atRest(traffic.app.back)
  // Its worker would be one more to rebuild.
  await traffic.app.stop()
})

const started: { goOn(): void }[] = []
afterAll(async () => {
  for (const { goOn } of started) goOn()
  await traffic?.app.close()
})

const mine = `locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())
  and objid::bigint = hashtext('rebuild orders')::bigint & 4294967295`

const locks = async () =>
  (await traffic.app.back.pool.query(`select 1 from pg_locks where ${mine}`)).rows

/** Ends the session that keeps others from rebuilding the orders. */
async function cutLock(): Promise<void> {
  const { rows } = await traffic.app.back.pool.query(
    `select pg_terminate_backend(pid) from pg_locks where ${mine}`,
  )
  expect(rows).toHaveLength(1)
  await waitFor('the lock to be free', async () => (await locks()).length === 0)
}

/** A rebuild that stops behind its first step until it is let go on. */
function haltingRebuild() {
  const { back } = traffic.app
  const log = rebuildLog(back)
  let goOn: () => void = () => undefined
  const halted = { now: false }
  const released = new Promise<void>(resolve => {
    goOn = resolve
  })
  const ending = rebuild(back.db, [ordersProjection], {
    head: log.head,
    streams: log.streams,
    async *read(chosen, { after, upTo }) {
      for (let from = after; from < upTo; from = moved(from, 20)) {
        const to = moved(from, 20) < upTo ? moved(from, 20) : upTo
        yield* log.read(chosen, { after: from, upTo: to })
        if (from < positionAt(40)) continue
        halted.now = true
        await released
      }
    },
    onProgress: () => undefined,
  })
  ending.catch(() => undefined)
  const halting = { ending, halted, goOn }
  started.push(halting)
  return halting
}

const rebuildNow = () =>
  rebuild(traffic.app.back.db, [ordersProjection], {
    ...rebuildLog(traffic.app.back),
    onProgress: () => undefined,
  })

it.each(['before the other is done', 'while the other is at it'])(
  'writes nothing any more, %s',
  async when => {
    const { back } = traffic.app
    const before = await snapshot(back.db, ordersProjection, 'readmodel')
    const first = haltingRebuild()
    await waitFor('the first to be under way', () => first.halted.now)
    await expect(rebuildNow()).rejects.toThrow(BeingRebuilt)
    await cutLock()
    const second = when.startsWith('while') ? haltingRebuild() : undefined
    if (second === undefined) expect(await rebuildNow()).toMatchObject([{ matches: true }])
    else await waitFor('the second to be under way', () => second.halted.now)
    first.goOn()
    await expect(first.ending).rejects.toThrow(BeingRebuilt)
    second?.goOn()
    if (second) expect(await second.ending).toMatchObject([{ matches: true }])
    expect((await snapshot(back.db, ordersProjection, 'readmodel')).tables).toEqual(before.tables)
    expect(await rebuildStates(back.db, 'orders')).toMatchObject([{ state: 'done', error: null }])
    expect(await rebuildNow()).toMatchObject([{ matches: true }])
  },
)

it('is not begun again by a worker that still believes it to be under way', async () => {
  const { back } = traffic.app
  await rebuildNow()
  const before = await rebuildStates(back.db, 'orders')
  const lines: unknown[] = []
  const note = (...line: unknown[]) => void lines.push(line)
  const log = { info: note, warn: note, error: note }
  const parts = { ...back, projections: [ordersProjection], log }
  await rebuildDue(parts, [ordersProjection], new AbortController().signal)
  expect(await rebuildStates(back.db, 'orders')).toEqual(before)
  expect(lines).toEqual([])
})
