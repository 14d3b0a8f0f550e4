// The life of one process: settings, start, signals, an orderly end.
import { type Parts, startApp } from './app.ts'
import { loadConfig, readEnvironment } from './config.ts'

/** Starts parts of the shop and stops them on SIGINT or SIGTERM; a second signal stops at once. */
export async function startProcess(parts: Parts): Promise<void> {
  try {
    const running = await startApp(loadConfig(readEnvironment()), parts)
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
