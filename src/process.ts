// The life of one process: settings, start, signals, an orderly end.
import { parseArgs } from 'node:util'
import { type Parts, startApp } from './app.ts'
import { loadConfig, readEnvironment } from './config.ts'
import { assertPaymentProvider } from './paymentSetting.ts'

const usage = `Settings are environment variables or lines of .env; .env.example explains each.
Ends in order on SIGINT or SIGTERM, and at once on a second one.

  -h, --help   shows this`

/**
 * Starts parts of the shop and stops them on SIGINT or SIGTERM; a second signal stops at once. When
 * asked for help it says what it is, `about`, and where its settings come from.
 */
export async function startProcess(parts: Parts, about: string): Promise<void> {
  try {
    if (wantsHelp()) {
      console.log(`${about}\n${usage}`)
      return
    }
    const env = readEnvironment()
    const config = loadConfig(env)
    assertPaymentProvider(env)
    const running = await startApp(config, parts)
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
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

function wantsHelp(): boolean {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  return values.help ?? false
}
