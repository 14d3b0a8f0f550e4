// Row 5. Path: 1,000 buyers on 1,000 connections order one piece each of one product of which there
// are 100, of one API and of three. Limit: the same buyers, each with a product of their own. Bar:
// at least 70 % as many answers a second, and exactly 100 sold, every time.
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import { delivery, newProducts, newShoppers, type Shopper } from './people.ts'

const buyers = 1_000
const pieces = 100
const path = 'flash sale of one product'
const limit = 'the same of 1,000 products'
const apis = 3
/** Its name on several APIs. */
const onApis = (name: string) => `${name}, ${apis} APIs`

export function flashSale(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    const rounds = roundsFor(bench.quick)
    const perSale = rounds.warmups + rounds.rounds
    const shoppers = await newShoppers(http.app.back, buyers)
    const own = await newProducts(http.app.back, { count: buyers, stock: 1_000 })
    const hot = await newProducts(http.app.back, { count: 2 * perSale, stock: pieces })
    const sold: number[] = []
    const urls = [http.app.url]
    const one = sales(http, { urls: [...urls], shoppers, own, hot: hot.slice(perSale), sold })
    for (let api = urls.length; api < apis; api += 1) urls.push(await http.app.startApi())
    const several = sales(http, { urls, shoppers, own, hot, sold }).map(candidate => {
      return { ...candidate, name: onApis(candidate.name) }
    })
    const measured = await interleave([...one, ...several], rounds)
    const wrong = sold.filter(count => count !== pieces)
    if (wrong.length > 0) throw new Error(`${wrong.join(', ')} sold instead of ${pieces}`)
    const judged = { row: 5, bar: { atLeast: 0.7 } }
    return {
      name: 'flashSale',
      measured: [...measured, measuredAs('sold', 'pieces', sold)],
      verdicts: [
        judge(measured, { ...judged, path, of: path, to: limit }),
        judge(measured, { ...judged, path: onApis(path), of: onApis(path), to: onApis(limit) }),
      ],
      notes: [`${pieces} sold in each of ${sold.length} sales, warm-ups included`],
    }
  })
}

interface Sale {
  urls: readonly string[]
  shoppers: readonly Shopper[]
  /** A product for each buyer. */
  own: readonly string[]
  /** A product for each round. */
  hot: readonly string[]
  /** How many pieces were sold, sale by sale. */
  sold: number[]
}

function sales({ loader }: HttpBench, { urls, shoppers, own, hot, sold }: Sale): Candidate[] {
  const lanes = (productOf: (buyer: number) => string) =>
    shoppers.map(({ token }, buyer) => {
      const items = [{ productId: productOf(buyer), quantity: 1 }]
      const body = { ...delivery, items }
      return [{ method: 'POST' as const, path: '/api/orders', token, body, keyed: true }]
    })
  return [
    ...loadCandidates(limit, () =>
      loader.run(limit, { url: urls, lanes: lanes(buyer => own[buyer] ?? ''), expects: [201] }),
    ),
    ...loadCandidates(path, async round => {
      const plan = { url: urls, lanes: lanes(() => hot[round] ?? ''), expects: [201, 409] }
      const result = await loader.run(path, plan)
      sold.push(result.statuses[201] ?? 0)
      return result
    }),
  ]
}
