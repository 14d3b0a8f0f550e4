// What commands of the command line share: the servers, the open shop, errors in one line.

import { ConfigError, loadConfig, readEnvironment } from '../src/config/config.ts'
import { type AppServices, openServices, type Purpose } from '../src/main/openServices.ts'
import { ListUnavailable } from '../src/ports/erasure.ts'
import { Unavailable } from '../src/ports/eventStore.ts'
import { type Observing, unobserved } from '../src/ports/tracing.ts'
import { LocalServerError } from './local/localServer.ts'
import { withServices } from './local/services.ts'

/** The arguments make no sense: exit code 2. */
export class UsageError extends Error {}
/** The command was understood and cannot be done: exit code 1. */
export class Refusal extends Error {}

/** For long jobs: waits for an unavailable event store, and reports it. */
export const whileWaiting: Observing = {
  ...unobserved,
  storeIsAway: seconds => {
    console.error(`EventStoreDB does not answer; waiting, ${seconds} s so far`)
  },
  storeIsSearched: () => {
    console.error('searching EventStoreDB for the events of this shop: others have written much')
  },
}

/** Runs a command and tells what went wrong in one line; bugs keep their stack. */
export async function main(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    console.error(describe(error))
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}

/** Opens the shop that runs, or its data with servers of its own, for as long as `work` takes. */
export async function withApp<T>(
  command: string,
  work: (open: AppServices, env: NodeJS.ProcessEnv) => Promise<T>,
  purpose?: Purpose,
): Promise<T> {
  const services = await withServices(readEnvironment(), {
    command,
    log: line => console.error(line),
  })
  try {
    const open = await openServices(loadConfig(services.env), whileWaiting, purpose)
    try {
      return await work(open, services.env)
    } finally {
      await open.close()
    }
  } finally {
    await services.stop()
  }
}

function describe(error: unknown): string {
  if (error instanceof UsageError) return `${error.message} (--help shows how)`
  const isExpected =
    error instanceof Refusal ||
    error instanceof ConfigError ||
    error instanceof LocalServerError ||
    error instanceof ListUnavailable ||
    error instanceof Unavailable
  if (isExpected) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
