// Row 5. Path: 1,000 buyers on 1,000 connections order one piece each of one product of which there
// are 100. Limit: the same buyers, each with a product of their own. Bar: at least 70 % as many
// answers a second, and exactly 100 sold, every time.
import type { Bench } from './benchmark.ts'
import { interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import { delivery, newProducts, newShoppers } from './people.ts'

const buyers = 1_000
const pieces = 100
const path = 'flash sale of one product'
const limit = 'the same of 1,000 products'

export function flashSale(bench: Bench): Promise<Report> {
  return withHttp(bench, async ({ app, loader }) => {
    const { warmups, rounds } = roundsFor(bench.quick)
    const shoppers = await newShoppers(app.back, buyers)
    const own = await newProducts(app.back, { count: buyers, stock: 1_000 })
    const hot = await newProducts(app.back, { count: warmups + rounds, stock: pieces })
    const sold: number[] = []
    const lanes = (productOf: (buyer: number) => string) =>
      shoppers.map(({ token }, buyer) => {
        const items = [{ productId: productOf(buyer), quantity: 1 }]
        const body = { ...delivery, items }
        return [{ method: 'POST' as const, path: '/api/orders', token, body, keyed: true }]
      })
    const candidates = [
      ...loadCandidates(limit, () =>
        loader.run(limit, {
          url: app.url,
          lanes: lanes(buyer => own[buyer] ?? ''),
          expects: [201],
        }),
      ),
      ...loadCandidates(path, async round => {
        const plan = { url: app.url, lanes: lanes(() => hot[round] ?? ''), expects: [201, 409] }
        const result = await loader.run(path, plan)
        sold.push(result.statuses[201] ?? 0)
        return result
      }),
    ]
    const measured = await interleave(candidates, { warmups, rounds })
    const wrong = sold.filter(count => count !== pieces)
    if (wrong.length > 0) throw new Error(`${wrong.join(', ')} sold instead of ${pieces}`)
    const counted = measuredAs('sold', 'pieces', sold)
    return {
      name: 'flashSale',
      measured: [...measured, counted],
      verdicts: [judge(measured, { row: 5, path, of: path, to: limit, bar: { atLeast: 0.7 } })],
      notes: [`${pieces} sold in each of ${sold.length} rounds, warm-ups included`],
    }
  })
}
