// Row 6. Path: a product listing that is in the cache, over HTTP. Limit: the same bytes as a static
// string. Bar: at least 50 % of it for every client; and a change of the catalogue shows within
// 100 ms on any API.
import { setTimeout as sleep } from 'node:timers/promises'
import { changeProduct } from '../src/commands/catalogue/products.ts'
import { execute } from '../src/commands/core/command.ts'
import { systemEnvelope } from '../src/commands/core/envelope.ts'
import { isRejection } from '../src/domain/kernel/rejection.ts'
import type { BenchApp } from './app.ts'
import type { Bench } from './benchmark.ts'
import { interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { newProducts, newShoppers } from './people.ts'

const connections = 64
const address = '/api/products?ordering=price'
const limit = 'the same bytes as a static string'
const age = 'age of a listing after a change'
const staleMs = 5_000

/** What clients send beside the address; the response is the same for all of them. */
const clients = (token: string): Record<string, Pick<Call, 'token' | 'headers'>> => ({
  'no headers': {},
  'with a cookie': { headers: { cookie: 'theme=dark; consent=all' } },
  'signed in': { token },
  'through a proxy': {
    headers: {
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-request-id': 'a',
    },
  },
  'accepting compression': { headers: { 'accept-encoding': 'gzip, br' } },
})

export function listing(bench: Bench): Promise<Report> {
  return withHttp(bench, async ({ app, loader, startLimits }) => {
    const products = await newProducts(app.back, { count: 100, stock: 50 })
    const [shopper] = await newShoppers(app.back, 1)
    const worker = await app.startWorker()
    await app.catchUp()
    const urls = [app.url, await app.startApi()]
    const ages = await agesOf(app, products, { urls, times: bench.quick ? 10 : 50 })
    await worker.stop()
    const bytes = await (await fetch(`${app.url}${address}`)).text()
    const limits = await startLimits({ bytes })
    const forMs = bench.quick ? 700 : 3_000
    const candidates = (name: string, url: string, call: Call) => {
      const lanes = Array.from({ length: connections }, () => [call])
      return loadCandidates(name, () => loader.run(name, { url, lanes, expects: [200], forMs }))
    }
    const kinds = Object.entries(clients(shopper?.token ?? ''))
    const taken = await interleave(
      [
        ...candidates(limit, limits.url, { method: 'GET', path: '/static' }),
        ...kinds.flatMap(([kind, sent]) =>
          candidates(pathOf(kind), app.url, { method: 'GET', path: address, ...sent }),
        ),
      ],
      roundsFor(bench.quick),
    )
    const measured = [...taken, measuredAs(age, 'ms', ages)]
    const oldest = { row: 6, path: `${age}, the oldest`, bar: { atMost: 100 } }
    return {
      name: 'listing',
      measured,
      verdicts: [
        ...kinds.map(([kind]) => {
          const path = pathOf(kind)
          return judge(measured, { row: 6, path, of: path, to: limit, bar: { atLeast: 0.5 } })
        }),
        judge([measuredAs(age, 'ms', [Math.max(...ages)])], { ...oldest, of: age }),
      ],
      notes: [
        `a page of ${bytes.length} characters`,
        `ages of ${ages.length} pages on two APIs, one change after the other`,
      ],
    }
  })
}

const pathOf = (client: string) => `cached product listing, ${client}`

/** How long after a change was acknowledged the cached page of any API showed what was before. */
async function agesOf(
  app: BenchApp,
  products: readonly string[],
  { urls, times }: { urls: readonly string[]; times: number },
) {
  const ages: number[] = []
  const first = await (await fetch(`${app.url}${address}`)).text()
  const cheapest = Number(/"amount":(\d+),/.exec(first)?.[1])
  for (let change = 0; change < times; change += 1) {
    // The cheapest is on the first page, in front of what was the cheapest before.
    const amount = cheapest - 1 - change
    const productId = products[change % products.length] ?? ''
    const price = { amount, currency: app.back.app.currency }
    const envelope = systemEnvelope('bench', new Date())
    const made = await execute(app.back.app, changeProduct, { productId, price }, envelope)
    if (isRejection(made)) throw new Error(made.detail)
    ages.push(...(await Promise.all(urls.map(url => waitForPrice(url, amount)))))
  }
  return ages
}

async function waitForPrice(url: string, amount: number): Promise<number> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < staleMs) {
    const page = await (await fetch(`${url}${address}`)).text()
    if (page.includes(`"amount":${amount},`)) return performance.now() - startedAt
    await sleep(1)
  }
  throw new Error(`a change did not show in ${staleMs} ms`)
}
