// Runs the workers on a thread of the API process.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { ConfigError } from '../src/config/config.ts'

const script = new URL('./workerThreadMain.ts', import.meta.url)

/**
 * Makes the thread, which gets ready for `start`. That resolves once they work, and throws what
 * keeps them from it; what ends them later ends the process like any other defect. Their metrics
 * are on the port behind that of the API.
 */
export function workerThread() {
  const thread = new Worker(script)
  return {
    async start(env: NodeJS.ProcessEnv) {
      const started = once(thread, 'message')
      thread.postMessage(settingsOf(env))
      await started.catch((error: unknown) => {
        throw ofThisThread(error)
      })
    },
    async stop() {
      const ended = once(thread, 'exit')
      thread.postMessage('stop')
      await ended
    },
  }
}

/** An error of another thread comes without its class. */
function ofThisThread(error: unknown): unknown {
  const isRefusal = error instanceof Error && error.name === 'ConfigError'
  return isRefusal ? new ConfigError(error.message) : error
}

function settingsOf({ METRICS_PORT: port, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return port === undefined ? env : { ...env, METRICS_PORT: `${Number(port) + 1}` }
}
