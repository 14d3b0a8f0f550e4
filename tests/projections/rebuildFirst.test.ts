// A rebuild where no worker has ever run, as after bringing back a log alone.
import { afterAll, expect, it } from 'vitest'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { snapshot } from '../../src/workers/audit/projectionCheck.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { atRest } from '../support/auditing.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'

let traffic: Traffic | undefined
afterAll(() => traffic?.app.close())

it('is gone on from, and not begun anew on top of, by the first worker', async () => {
  traffic = await shopWithTraffic()
  await doBusiness(traffic)
  const { app } = traffic
  await atRest(app.back)
  const tables = () =>
    Promise.all(
      projections.map(async each => (await snapshot(app.back.db, each, 'readmodel')).tables),
    )
  const before = await tables()
  await app.stop()
  // What a shop has in whose database there is a log and nothing else.
  await app.back.pool.query('delete from shop.checkpoints')
  for (const { tables: names } of projections) {
    for (const name of names) await app.back.pool.query(`truncate readmodel.${name}`)
  }
  await rebuild(app.back.db, projections, { ...rebuildLog(app.back), onProgress: () => undefined })
  expect(await tables()).toEqual(before)
  await app.restart()
  await atRest(app.back)
  expect(await tables()).toEqual(before)
})
