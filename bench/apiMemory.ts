// Row 15. Path: the most memory that the API process has ever had, after load of every kind: carts
// that fill, orders, listings, details. Bar: at most 300 MB.

import { fill } from './addToCart.ts'
import type { Bench } from './benchmark.ts'
import { judge, measuredAs, type Report } from './harness.ts'
import { withHttp } from './httpBench.ts'
import type { Call } from './loadPlan.ts'
import { delivery, newProducts, newShoppers } from './people.ts'
import { peakMb, residentMb } from './residentMemory.ts'

const connections = 64
const rounds = 5
const path = 'memory of the API under load, at most'

export async function apiMemory(bench: Bench): Promise<Report> {
  return withHttp(bench, async ({ app, loader }) => {
    const products = await newProducts(app.back, { count: 500, stock: 9_000_000 })
    const shoppers = await newShoppers(app.back, connections * 10)
    await app.startWorker()
    await app.catchUp()
    const idleMb = await residentMb(app.api.pid)
    const lanes = Array.from({ length: connections }, (_, lane) =>
      shoppers
        .filter((_shopper, at) => at % connections === lane)
        .flatMap((shopper, at): Call[] => [
          ...fill(shopper, products, { from: lane + at, lines: 2 }),
          { method: 'GET', path: `/api/products?minPrice=${lane + at}` },
          {
            method: 'POST',
            path: '/api/orders',
            token: shopper.token,
            body: delivery,
            keyed: true,
          },
          { method: 'GET', path: '/api/orders', token: shopper.token },
        ]),
    )
    const peaks: number[] = []
    const forMs = bench.quick ? 1_000 : 20_000
    for (let round = 0; round < rounds; round += 1) {
      await loader.run('load', { url: app.url, lanes, expects: [200, 201, 503], forMs })
      peaks.push(await peakMb(app.api.pid))
    }
    const after = await residentMb(app.api.pid)
    const most = measuredAs(path, 'MB', peaks.slice(-1))
    return {
      name: 'apiMemory',
      measured: [measuredAs('the same after each round', 'MB', peaks), most],
      verdicts: [judge([most], { row: 15, path, of: path, bar: { atMost: 300 } })],
      notes: [`${idleMb.toFixed(0)} MB before the load, ${after.toFixed(0)} MB after it`],
    }
  })
}
