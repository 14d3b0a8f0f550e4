// Rows 19 to 19d. Path: the shop and its log on the EventStoreDB or KurrentDB at EVENTSTORE_URL.
// Limits: what the client does by itself in the same run, and the same shop on PostgreSQL.
import { randomBytes } from 'node:crypto'
import { type BenchServers, onDatabase, onFreshDatabase } from './database.ts'
import { checkouts, type Logs, ledgers } from './eventstoredbApp.ts'
import { bareCheckouts } from './eventstoredbBare.ts'
import { appendsAndCatchUp } from './eventstoredbLog.ts'
import type { Report } from './harness.ts'

export interface EventStoreDbBench {
  /** The server; nothing on it is changed but streams with a prefix of their own. */
  url: string
  quick: boolean
  /** A retail ledger to import; without it, nothing is imported or rebuilt. */
  ledger: string | undefined
  /** So many rows of it. */
  rows: number | undefined
}

/** Measures all rows; the shop once on each store, in turns. */
export async function eventStoreDbBench(
  servers: BenchServers,
  { url, quick, ledger, rows }: EventStoreDbBench,
): Promise<Report> {
  const log = await appendsAndCatchUp(url, newPrefix(), quick)
  const other = { ...servers, redisUrl: onDatabase(servers.redisUrl, '14') }
  const onBoth = <T>(work: (logs: Logs) => Promise<T>) =>
    onFreshDatabase(servers, postgres =>
      onFreshDatabase(other, database => {
        const prefix = newPrefix()
        const settings = { EVENTSTORE_URL: url, EVENTSTORE_STREAM_PREFIX: prefix }
        return work({ postgres, eventStore: { ...database, more: settings }, url, prefix })
      }),
    )
  const bare = await onBoth(logs => bareCheckouts(logs, quick))
  const parts = [log, bare, await onBoth(logs => checkouts(logs, quick))]
  if (ledger !== undefined) {
    parts.push(await onBoth(logs => ledgers(logs, { ledger, rows, directory: servers.directory })))
  }
  return {
    name: 'eventstoredb',
    measured: parts.flatMap(({ measured }) => measured),
    verdicts: parts.flatMap(({ verdicts }) => verdicts),
    notes: [
      ...parts.flatMap(({ notes }) => notes),
      ...(ledger === undefined ? ['no --ledger FILE: nothing was imported or rebuilt'] : []),
    ],
  }
}

/** The streams of each log that is written are its own, also on a server that others use. */
function newPrefix(): string {
  return `bench${randomBytes(4).toString('hex')}.`
}
