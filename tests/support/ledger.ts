// Small made-up ledgers, and a shop on a database of its own to import them into.
import { loadConfig } from '../../src/config/config.ts'
import { type AppServices, openServices } from '../../src/main/openServices.ts'
import { projections } from '../../src/projections/index.ts'
import { readEarlierImports } from '../../src/workers/imports/ledger/earlierImports.ts'
import type { LedgerPlan } from '../../src/workers/imports/ledger/ledgerPlan.ts'
import { planLedger } from '../../src/workers/imports/ledger/planLedger.ts'
import { type LedgerRow, parseLedger } from '../../src/workers/imports/ledger/readLedger.ts'
import { runImport } from '../../src/workers/imports/ledger/runImport.ts'
import { createProgress } from '../../src/workers/projector/progress.ts'
import { startProjector } from '../../src/workers/projector/projector.ts'
import { waitFor } from './waitFor.ts'

const columns = {
  InvoiceNo: '536365',
  StockCode: '71053',
  Description: 'WHITE METAL LANTERN',
  Quantity: '6',
  InvoiceDate: '2010-12-01 08:26:00',
  UnitPrice: '3.39',
  CustomerID: '17850.0',
  Country: 'United Kingdom',
}
export type Columns = typeof columns

/** The CSV text of a ledger; each row says where it differs from six lanterns for one customer. */
export function ledgerText(rows: readonly Partial<Columns>[]): string {
  const lines = rows.map(row => Object.values({ ...columns, ...row }).map(quoted))
  return [Object.keys(columns), ...lines].map(cells => `${cells.join(',')}\n`).join('')
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The rows of such a ledger, as the importer reads them. */
export function ledgerRows(...rows: readonly Partial<Columns>[]): LedgerRow[] {
  return parseLedger(Buffer.from(ledgerText(rows)), 'ledger.csv')
}

/** A shop on a database. */
export function openTestShop(databaseUrl: string): Promise<AppServices> {
  return openServices(
    loadConfig({
      DATABASE_URL: databaseUrl,
      REDIS_URL: 'redis://127.0.0.1:1',
      SMTP_URL: 'smtp://127.0.0.1:1',
      SECRET_KEY: '5'.repeat(64),
    }),
  )
}

/** Imports rows on top of what the log has, and gives the plan that was carried out. */
export async function importInto(
  open: Pick<AppServices, 'app' | 'eventStore' | 'codec'>,
  rows: readonly LedgerRow[],
  options: { concurrency?: number; onDocument?: (key: string) => void } = {},
): Promise<LedgerPlan> {
  const earlier = await readEarlierImports(open.eventStore, open.codec)
  const plan = planLedger(rows, earlier)
  await runImport(open.app, plan, {
    isDone: key => earlier.documents.has(key),
    onDocument: ({ document }) => options.onDocument?.(document.key),
    concurrency: options.concurrency ?? 8,
  })
  return plan
}

/** Brings all read models to the end of the log. */
export async function project(open: AppServices): Promise<void> {
  const head = await open.eventStore.head()
  const silent = () => undefined
  const projector = startProjector({
    ...open,
    projections,
    runner: 'test',
    progress: createProgress(),
    log: { info: silent, warn: console.warn, error: console.error },
    onCommitted: async () => undefined,
  })
  await waitFor('the read models at the end of the log', async () => {
    const found = await open.db.selectFrom('shop.checkpoints').select('position').execute()
    return found.length === projections.length && found.every(each => each.position >= head)
  })
  await projector.stop()
}

/** What the log says, without ids of events and times: per stream, in no order within it. */
export async function contentOf({
  eventStore,
  codec,
}: Pick<AppServices, 'eventStore' | 'codec'>): Promise<Map<string, string[]>> {
  const content = new Map<string, string[]>()
  for await (const recorded of eventStore.readAll()) {
    const { stream, type, data } = await codec.decode(recorded)
    const events = content.get(stream) ?? []
    events.push(`${type} ${JSON.stringify(data)}`)
    content.set(stream, events)
  }
  for (const events of content.values()) events.sort()
  return new Map([...content].sort(([a], [b]) => (a < b ? -1 : 1)))
}
