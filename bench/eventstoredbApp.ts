// Rows 19b and 19c. Paths: checkout over HTTP, 16 connections; a ledger imported, with all read
// models caught up; a rebuild of all read models. Limits: the same on PostgreSQL in the same run;
// for the rebuild, the client's bare readAll of the same log. Bars: 60 %, twice the time, 40 %.
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { EventStoreDBClient } from '@eventstore/db-client'
import { fill } from './addToCart.ts'
import { settingsOn, startShop } from './app.ts'
import { startScript } from './child.ts'
import { closing } from './closing.ts'
import type { BenchDatabase } from './database.ts'
import { endOf } from './eventstoredbLog.ts'
import { interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { startLoader } from './loader.ts'
import { delivery, newProducts, newShoppers } from './people.ts'
import { commandOn } from './rebuild.ts'

/** A shop on each store; that on EventStoreDB has its read models in a database of its own. */
export interface Logs {
  postgres: BenchDatabase
  eventStore: BenchDatabase
  url: string
  prefix: string
}

const connections = 16
const lines = 2
const checkout = 'checkout over HTTP, 16 connections'
const checkoutOnPostgres = `${checkout}, on PostgreSQL`

/** Orders of two lines from carts that are filled before. */
export function checkouts({ postgres, eventStore }: Logs, quick: boolean): Promise<Report> {
  return closing(async closers => {
    const loader = startLoader(postgres.clock)
    closers.push(loader.stop)
    const candidateOn = async (name: string, database: BenchDatabase) => {
      const app = await startShop(database)
      closers.push(app.close)
      const products = await newProducts(app.back, { count: 200, stock: 1_000_000 })
      const shoppers = await newShoppers(app.back, connections * (quick ? 10 : 40))
      const laneOf = (lane: number) => shoppers.filter((_, at) => at % connections === lane)
      const lanes = Array.from({ length: connections }, (_, lane) => laneOf(lane))
      const filling = lanes.map((lane, n) =>
        lane.flatMap((shopper, at) =>
          fill(shopper, products, { from: n * 31 + at * lines, lines }),
        ),
      )
      const ordering = lanes.map(lane =>
        lane.map(({ token }) => {
          const order = {
            method: 'POST',
            path: '/api/orders',
            body: delivery,
            keyed: true,
          } as const
          return { ...order, token }
        }),
      )
      const run = async () => {
        await loader.run('filling carts', { url: app.url, lanes: filling, expects: [201] })
        const load = { url: app.url, lanes: ordering, expects: [201] }
        return (await loader.run(name, load)).perSecond
      }
      return { name, unit: 'orders/s', run }
    }
    const candidates = [
      await candidateOn(checkoutOnPostgres, postgres),
      await candidateOn(checkout, eventStore),
    ]
    const measured = await interleave(candidates, roundsFor(quick))
    const judged = { row: 19, path: checkout, of: checkout, to: checkoutOnPostgres }
    return {
      name: 'eventstoredb, checkout',
      measured,
      verdicts: [judge(measured, { ...judged, bar: { atLeast: 0.6 } })],
      notes: ['orders of 2 of 200 products; no worker runs'],
    }
  })
}

const imported = 'ledger imported, read models caught up'
const importedOnPostgres = `${imported}, on PostgreSQL`
const rebuilt = 'rebuild of all read models'
const bare = 'the client’s bare readAll of the same log'

interface Ledger {
  ledger: string
  rows: number | undefined
  directory: string
}

/** A ledger imported into both, once; and the read models of the one on EventStoreDB anew. */
export async function ledgers(logs: Logs, { ledger, rows, directory }: Ledger): Promise<Report> {
  const file = rows === undefined ? ledger : await shareOf(ledger, rows, directory)
  const client = EventStoreDBClient.connectionString(logs.url)
  try {
    const from = await endOf(client)
    const seconds = {
      postgres: await importInto(logs.postgres, file),
      eventStore: await importInto(logs.eventStore, file),
    }
    const upTo = await endOf(client)
    const command = commandOn(logs.eventStore)
    const total = await readBare(client, from, upTo)
    const rates = await interleave(
      [
        {
          name: bare,
          unit: 'events/s',
          run: async () => {
            const startedAt = performance.now()
            const seen = await readBare(client, from, upTo)
            return seen / ((performance.now() - startedAt) / 1_000)
          },
        },
        {
          name: rebuilt,
          unit: 'events/s',
          run: async () => total / (await command.rebuild('all')),
        },
      ],
      { warmups: 1, rounds: 3 },
    )
    const measured = [
      measuredAs(importedOnPostgres, 's', [seconds.postgres]),
      measuredAs(imported, 's', [seconds.eventStore]),
      ...rates,
    ]
    const importing = { row: 19, path: imported, of: imported, to: importedOnPostgres }
    const rebuilding = { row: 19, path: rebuilt, of: rebuilt, to: bare }
    return {
      name: 'eventstoredb, ledger',
      measured,
      verdicts: [
        judge(measured, { ...importing, bar: { atMost: 2 } }),
        judge(measured, { ...rebuilding, bar: { atLeast: 0.4 } }),
      ],
      notes: [
        rows === undefined ? 'all rows of the ledger' : `${rows} rows of the ledger`,
        `${total.toLocaleString('en-GB')} events`,
      ],
    }
  } finally {
    await client.dispose()
  }
}

/** The first rows of a ledger, plain or packed. */
async function shareOf(ledger: string, rows: number, directory: string): Promise<string> {
  const raw = createReadStream(ledger)
  const input = ledger.endsWith('.gz') ? raw.pipe(createGunzip()) : raw
  const kept: string[] = []
  for await (const line of createInterface({ input })) {
    kept.push(line)
    if (kept.length > rows) break
  }
  raw.destroy()
  const file = join(directory, 'ledger.csv')
  await writeFile(file, `${kept.join('\n')}\n`)
  return file
}

/** The command as an operator runs it; gives its seconds. */
async function importInto(database: BenchDatabase, file: string): Promise<number> {
  const startedAt = performance.now()
  const child = startScript('tools/importRetail.ts', settingsOn(database), [file])
  while (!child.hasEnded()) await sleep(50)
  // A share of a ledger may end within a document: 2 says that its totals differ.
  if (![0, 2].includes(child.exitCode() ?? 1)) throw new Error(`no import: ${child.said()}`)
  return (performance.now() - startedAt) / 1_000
}

async function readBare(client: EventStoreDBClient, from: bigint, upTo: bigint): Promise<number> {
  let seen = 0
  const read = client.readAll({ fromPosition: { commit: from, prepare: from } })
  for await (const { event } of read) {
    // To its end: a read that is left keeps the client from closing.
    if (event !== undefined && event.position.commit <= upTo) seen += 1
  }
  return seen
}
