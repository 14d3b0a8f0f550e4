// The lifecycle of a process: settings, start, signals, graceful stop.
import { parseArgs } from 'node:util'
import { type Config, ConfigError, loadConfig, readEnvironment } from '../config/config.ts'
import { assertPaymentProvider } from '../config/paymentSetting.ts'
import { databaseFault } from '../infra/system/reach.ts'
import { portFault } from '../infra/system/tcpPorts.ts'
import { Unavailable } from '../ports/eventStore.ts'
import { type ProcessRoles, startApp } from './start.ts'

const usage = `Settings are environment variables or lines of .env; .env.example explains each.
Ends in order on SIGINT or SIGTERM, and at once on a second one.

  -h, --help   shows this`

/**
 * Starts parts of the shop and stops them on SIGINT or SIGTERM; a second signal stops at once. When
 * asked for help it says what it is, `about`, and where its settings come from.
 */
export async function startProcess(roles: ProcessRoles, about: string): Promise<void> {
  try {
    if (wantsHelp()) {
      console.log(`${about}\n${usage}`)
      return
    }
    const env = readEnvironment()
    const config = loadConfig(env)
    assertPaymentProvider(env)
    await assertPorts(config, roles)
    const running = await startApp(config, roles)
    let stopping = false
    const stop = async () => {
      if (stopping) process.exit(1)
      stopping = true
      await running.close()
      process.exit(0)
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  } catch (error) {
    console.error(await describe(error))
    process.exit(1)
  }
}

/** Names the setting where the database cannot be reached. */
async function describe(error: unknown): Promise<string> {
  const url = error instanceof Unavailable ? readEnvironment().DATABASE_URL : undefined
  const fault = url === undefined ? undefined : await databaseFault(url)
  return fault ?? (error instanceof Error ? error.message : String(error))
}

/** Checks the ports first, so that a port in use is reported at once. */
async function assertPorts(
  { host, port, metricsPort }: Config,
  { api }: ProcessRoles,
): Promise<void> {
  const faults = await Promise.all([
    api ? portFault(host, port) : undefined,
    metricsPort === undefined ? undefined : portFault(host, metricsPort, 'METRICS_PORT'),
  ])
  const found = new Set(faults.filter(fault => fault !== undefined))
  if (found.size > 0) throw new ConfigError([...found].join('\n'))
}

function wantsHelp(): boolean {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
    return values.help ?? false
  } catch (error) {
    const message = error instanceof Error ? error.message.split(/\. /)[0] : String(error)
    throw new ConfigError(`${message} (--help shows how)`)
  }
}
