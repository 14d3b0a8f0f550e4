// Several APIs and workers under faults: nothing is lost, doubled or left half-way, and service
// is back by itself. PROCESSES_MINUTES makes it go on that long (npm run test:processes), and
// PROCESSES_FAULTS strikes only with those whose names fit a pattern.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, expect, it } from 'vitest'
import { openServices } from '../../src/main/openServices.ts'
import { atRest } from '../support/auditing.ts'
import { shopOnce, startTraffic, type Traffic } from '../support/orderTraffic.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { password } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'
import { auditFromOutside } from './auditor.ts'
import { eventStoreFaults } from './eventStoreNodes.ts'
import { fullDisks } from './fullDisks.ts'
import { followLive, type LiveClient } from './liveClients.ts'
import {
  deaths,
  type Nemesis,
  outages,
  type Probe,
  rebuildWhileKilled,
  runScript,
  silences,
} from './nemeses.ts'
import { type Platform, startPlatform } from './platform.ts'
import { troubledServers } from './servers.ts'
import { watchReadiness } from './watch.ts'

const minutes = Number(process.env.PROCESSES_MINUTES ?? 0)
const seed = Number(process.env.PROCESSES_SEED ?? Date.now() % 1_000_000_000)
/** The share of the ordinary tests, within a minute: the faults that have done most damage. */
const share = [
  'kill -9 of a worker',
  'all connections to PostgreSQL go silent',
  'Redis loses everything',
]
const pattern = process.env.PROCESSES_FAULTS
const known = [
  ...deaths,
  ...outages,
  ...silences,
  ...troubledServers,
  ...fullDisks,
  ...eventStoreFaults,
  rebuildWhileKilled,
]
const wanted = known.filter(({ name }) => {
  if (pattern !== undefined) return new RegExp(pattern).test(name)
  return minutes > 0 || share.includes(name)
})
const backWithinMs = 15_000
/** APIs, and as many workers. */
const size = minutes > 0 || pattern !== undefined ? 3 : 2

let platform: Platform | undefined
afterEach(() => platform?.close(), 150_000)

/** Every API takes a command, and the read models have seen what was appended. */
async function serviceIsBack(
  running: Platform,
  traffic: Traffic,
  head: () => Promise<string>,
): Promise<void> {
  const [customer] = traffic.customers
  const [productId] = traffic.products
  for (const { name, url } of running.apis) {
    await waitFor(
      `${name} to take commands`,
      () =>
        fetch(`${url}/api/cart/items`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${customer?.token}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ productId, quantity: 1 }),
          signal: AbortSignal.timeout(5_000),
        }).then(
          ({ status }) => status < 500,
          () => false,
        ),
      backWithinMs,
    )
  }
  await readModelsCatchUp(running, head)
}

async function readModelsCatchUp(running: Platform, head: () => Promise<string>): Promise<void> {
  const client = new pg.Client({ connectionString: running.config.databaseUrl.reveal() })
  await client.connect()
  try {
    const newest = await head()
    await waitFor(
      'the read models to catch up',
      async () => {
        const found = await client.query(
          'select count(*)::integer as late from shop.checkpoints where position < $1',
          [newest],
        )
        return found.rows[0]?.late === 0
      },
      backWithinMs,
    )
  } finally {
    await client.end()
  }
}

/** Customers shop until told to stop. */
function startShopping(traffic: Traffic) {
  let isOver = false
  const failures: unknown[] = []
  const shopping = traffic.customers.map(async customer => {
    while (!isOver) {
      await shopOnce(traffic, customer).catch(error => failures.push(error))
      await pause(traffic.random.between(50, 250))
    }
  })
  return {
    failures,
    async stop() {
      isOver = true
      await Promise.all(shopping)
    },
  }
}

/** Faults that this machine lets us begin. */
function possible({ disks }: Platform): Nemesis[] {
  const faults = disks ? wanted : wanted.filter(each => !fullDisks.includes(each))
  if (faults.length < wanted.length) {
    console.warn('Full disks are NOT tried: mounting small ones takes root on Linux')
  }
  return faults
}

function probeFor(
  { adminToken: admin, products }: Traffic,
  customer: { token: string } | undefined,
): Probe {
  return { admin, password, token: customer?.token ?? '', productId: products[0] ?? '' }
}

/** Each fault, one after the other, until the time is over: service is back after each. */
async function strikeAll(
  running: Platform,
  traffic: Traffic,
  on: { random: Random; watcher: { token: string } | undefined; head(): Promise<string> },
) {
  const { random, watcher, head } = on
  const struck: string[] = []
  const probe = probeFor(traffic, watcher)
  const faults = possible(running)
  const until = Date.now() + minutes * 60_000
  let died = 0
  do {
    for (const { name, strike } of faults) {
      const began = Date.now()
      died += await strike(running, random, probe)
      const mended = Date.now()
      await serviceIsBack(running, traffic, head).catch(error => {
        throw new Error(`after ${[...struck, name].slice(-3).join('; ')}: ${error}`)
      })
      const time = new Date(began).toISOString().slice(11, 19)
      struck.push(`${time} ${name}: ${mended - began} ms, back after ${Date.now() - mended} ms`)
    }
  } while (Date.now() < until)
  return { died, struck }
}

function counts({ placed, refused, abandoned, unknowns: retried }: Traffic, live: LiveClient[]) {
  const messages = live.reduce((sum, each) => sum + each.messages.length, 0)
  const connections = live.reduce((sum, each) => sum + each.connections, 0)
  return { orders: placed.length, refused, abandoned, retried, messages, connections }
}

it(
  'survive every fault without losing, doubling or hiding anything',
  async () => {
    console.log(`PROCESSES_SEED=${seed}`)
    const random = randomFrom(seed)
    const running = await startPlatform({ apis: size, workers: size })
    platform = running
    const node = () => running.apis[random.between(0, running.apis.length - 1)]?.url ?? ''
    const back = await openServices(running.config)
    try {
      const reach = { url: node, back, directory: running.directory }
      const traffic = await startTraffic(reach, random, { customers: 9, scarce: 40 })
      const head = async () => String(await back.eventStore.head())
      const since = Number(await head())
      const live = traffic.customers.slice(0, 6).map(each => followLive(each, node, since))
      const [watcher] = traffic.customers.splice(-1)
      const watch = watchReadiness(running, watcher?.token ?? '', traffic.products[0] ?? '')
      const shopping = startShopping(traffic)
      await waitFor('the first orders', () => traffic.placed.length >= 10)

      const { died, struck } = await strikeAll(running, traffic, { random, watcher, head })

      await shopping.stop()
      await watch.stop()
      await atRest(back, 150_000)
      await Promise.all(live.map(each => each.stop()))
      const { mailFolder } = running
      const databaseUrl = running.config.databaseUrl.reveal()
      const evidence = { traffic, live, deaths: died, mailFolder, databaseUrl }
      const findings = await auditFromOutside(evidence)
      const audit = await runScript(running, 'tools/audit.ts', ['--grace', '0'])
      console.log(JSON.stringify({ seed, faults: struck, ...counts(traffic, live) }))
      expect(findings).toEqual([])
      expect(watch.lies()).toEqual([])
      expect(shopping.failures).toEqual([])
      expect(live.map(({ resyncs }) => resyncs)).toEqual(live.map(() => 0))
      expect(audit.code, audit.output).toBe(0)
      expect(traffic.placed.length).toBeGreaterThan(20)
    } finally {
      await back.close()
    }
  },
  300_000 + minutes * 120_000,
)
