// Rows 4b and 4c. Path 4b: the whole shop, an API and a worker with all read models, live messages
// and mails to a local mail server, at the highest rate of PlaceOrder at which all of them are at
// most a second late after 60 s. Limit: PlaceOrder by the same requests without a worker. Bar: at
// least 55 %. Path 4c: two APIs and two workers under that load. Bar: at least 95 % of it, and the
// auditor finds nothing. `npm start` runs the same API and worker as two threads of one process;
// apart, their processor time can be told apart.
import { setTimeout as sleep } from 'node:timers/promises'
import { parsePosition } from '../src/kit/position.ts'
import { countOpenMails } from '../src/projections/notifications/mailQueries.ts'
import { newestNotification } from '../src/projections/order/orderNotifications.ts'
import { settingsOn } from './app.ts'
import type { Bench } from './benchmark.ts'
import { startScript } from './child.ts'
import type { BenchDatabase } from './database.ts'
import { type CostedFigure, judge, measuredAs, mediansOf, type Report } from './harness.ts'
import { confirmRate, highestRate } from './highestRate.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { type Listeners, startListeners } from './listeners.ts'
import type { LoadFigures } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { delivery, newAdmin, newProducts, newShoppers, type Shopper } from './people.ts'
import { spreadOf } from './statistics.ts'

const connections = 64
const path = 'PlaceOrder with the whole shop'
const limit = 'PlaceOrder, no worker'
const twice = 'PlaceOrder with two APIs and two workers'
const findings = 'findings of the auditor'
/** Answers and all that follows from them are to be there so long after the last order was due. */
const lateMaxMs = 1_000
const giveUpMs = 600_000

interface Lengths {
  limitRounds: number
  limitMs: number
  steps: number
  stepMs: number
  holdMs: number
}

const lengthsFor = (quick: boolean): Lengths =>
  quick
    ? { limitRounds: 2, limitMs: 1_500, steps: 4, stepMs: 2_000, holdMs: 6_000 }
    : { limitRounds: 4, limitMs: 4_000, steps: 6, stepMs: 5_000, holdMs: 60_000 }

interface Shop {
  http: HttpBench
  lengths: Lengths
  /** The APIs that the load is dealt out to. */
  urls: string[]
  lanes: Call[][]
  listeners: Listeners
}

/** A load at a rate, and how late the last of its effects came. */
interface Trial extends LoadFigures {
  lateMs: number
  isHeld: boolean
}

export function wholeShop(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    const { app, closers } = http
    const products = await newProducts(app.back, { count: 1_000, stock: 1_000_000 })
    const shoppers = await newShoppers(app.back, connections * 30)
    const listeners = startListeners()
    closers.push(listeners.stop)
    const lanes = ordersOf(shoppers, products)
    const lengths = lengthsFor(bench.quick)
    const shop: Shop = { http, lengths, urls: [app.url], lanes, listeners }
    await limitRound(shop)
    const before = await limitRounds(shop)
    const worker = await app.startWorker()
    await listeners.connect(app.url, [await newAdmin(app.back, app.url)], true)
    // Waits for the mails of the limit's orders; a few more orders send the message to wait for.
    await limitRound({ ...shop, lengths: { ...lengths, limitMs: 100 } })
    await lateness(shop)
    const first = spreadOf(before.map(({ figure }) => figure)).median * 0.4
    const rate = await highestRate(async perSecond => (await trial(shop, perSecond)).isHeld, {
      first,
      steps: lengths.steps,
    })
    const one = await confirmRate(perSecond => trial(shop, perSecond, lengths.holdMs), rate)
    await worker.stop()
    // Once more, so that the limit is from before and after.
    const limits = [...before, ...(await limitRounds(shop))]
    await Promise.all([app.startWorker(), app.startWorker()])
    shop.urls.push(await app.startApi())
    await limitRound({ ...shop, lengths: { ...lengths, limitMs: 100 } })
    await lateness(shop)
    const two = await confirmRate(
      perSecond => trial(shop, perSecond, lengths.holdMs),
      one.perSecond,
    )
    return reportOf({ limits, one, two, audit: await audit(bench.database) })
  })
}

/** Orders of two lines each, with the items in the request: carts need not be filled between. */
function ordersOf(shoppers: readonly Shopper[], products: readonly string[]): Call[][] {
  const orders = shoppers.map(({ token }, at): Call => {
    const items = [0, 1].map(line => ({
      productId: products[(at * 2 + line) % products.length],
      quantity: 1,
    }))
    return { method: 'POST', path: '/api/orders', token, body: { ...delivery, items }, keyed: true }
  })
  return Array.from({ length: connections }, (_, lane) =>
    orders.filter((_order, at) => at % connections === lane),
  )
}

async function limitRounds(shop: Shop): Promise<CostedFigure[]> {
  const rounds: CostedFigure[] = []
  for (let round = 0; round < shop.lengths.limitRounds; round += 1) {
    rounds.push(await limitRound(shop))
  }
  return rounds
}

async function limitRound({ http, urls, lanes, lengths }: Shop): Promise<CostedFigure> {
  const plan = { url: urls, lanes, expects: [201], forMs: lengths.limitMs }
  const { perSecond, processor } = await http.loader.run(limit, plan)
  return { figure: perSecond, processor }
}

/** Sends orders at a rate, and waits until every effect of them is there. */
async function trial(shop: Shop, perSecond: number, forMs = shop.lengths.stepMs): Promise<Trial> {
  const { http, urls, lanes } = shop
  const result = await http.loader.run(path, { url: urls, lanes, expects: [201], forMs, perSecond })
  const answersMs = (result.requests / result.perSecond) * 1_000 - forMs
  const answers = Math.max(0, answersMs)
  const effects = await lateness(shop)
  // What follows from the last answer cannot be there before it.
  const lateMs = answers + Math.max(...Object.values(effects))
  const parts = Object.entries({ answers, ...effects }).map(
    ([part, ms]) => `${part} ${Math.round(ms)}`,
  )
  console.log(
    `  ${Math.round(perSecond)} orders/s for ${forMs / 1_000} s: ${Math.round(lateMs)} ms late ` +
      `(${parts.join(', ')})`,
  )
  const sentPerSecond = result.requests / (forMs / 1_000)
  return { ...result, perSecond: sentPerSecond, lateMs, isHeld: lateMs <= lateMaxMs }
}

/** How long until read models, mails and live messages are where the log is now. */
async function lateness({ http: { app }, listeners }: Shop): Promise<Record<string, number>> {
  const startedAt = performance.now()
  const done = async (isDone: () => Promise<boolean>) => {
    while (!(await isDone())) {
      if (performance.now() - startedAt > giveUpMs) throw new Error('not everything arrives')
      await sleep(10)
    }
    return performance.now() - startedAt
  }
  await app.catchUp()
  const readModels = performance.now() - startedAt
  const newest = await newestNotification(app.back.db)
  const hasArrived = async () =>
    (await listeners.arrived()).some(({ position }) => parsePosition(position) >= newest)
  const areSent = async () => (await countOpenMails(app.back.db)).every(({ mails }) => mails === 0)
  const [messages, mails] = await Promise.all([done(hasArrived), done(areSent)])
  return { 'read models': readModels, messages, mails }
}

/** Runs the auditor; how many of its checks failed is its exit code. */
async function audit(database: BenchDatabase): Promise<number> {
  const child = startScript('tools/audit.ts', settingsOn(database), ['--grace', '0'])
  while (!child.hasEnded()) await sleep(50)
  if (child.exitCode() !== 0) console.error(child.said())
  return child.exitCode() ?? 2
}

interface Results {
  limits: readonly CostedFigure[]
  one: Trial
  two: Trial
  audit: number
}

function reportOf({ limits, one, two, audit }: Results): Report {
  // One figure of a minute beside each round of its limit.
  const beside = (figure: number) => limits.map(() => figure)
  const rounds = limits.map(({ figure }) => figure)
  const measured = [
    measuredAs(limit, 'orders/s', rounds, mediansOf(limits.map(({ processor }) => processor))),
    measuredAs(path, 'orders/s', beside(one.perSecond), one.processor),
    measuredAs(twice, 'orders/s', beside(two.perSecond), two.processor),
    measuredAs(findings, 'exit code', [audit]),
  ]
  return {
    name: 'wholeShop',
    measured,
    verdicts: [
      judge(measured, { row: '4b', path, of: path, to: limit, bar: { atLeast: 0.55 } }),
      judge(measured, { row: '4c', path: twice, of: twice, to: path, bar: { atLeast: 0.95 } }),
      judge(measured, { row: '4c', path: findings, of: findings, bar: { atMost: 0 } }),
    ],
    notes: [
      `the last effect was ${Math.round(one.lateMs)} ms late, ` +
        `with two of each ${Math.round(two.lateMs)} ms`,
      'the worker has to be through with the orders of the limit before it is measured',
    ],
  }
}
