// Starts everything in one process, prints the addresses, and stops it again.
import { once } from 'node:events'
import { relative } from 'node:path'
import { ConfigError } from '../src/config/config.ts'
import { assertPaymentProvider } from '../src/config/paymentSetting.ts'
import { freePort, portFault } from '../src/infra/system/tcpPorts.ts'
import { LocalServerError } from './local/localServer.ts'
import { readRuntime } from './local/runtimeFile.ts'
import {
  alreadyRunning,
  dataDirectoryOf,
  previewConfig,
  type Services,
  withServices,
} from './local/services.ts'

export interface RunningApp {
  url: string
  close(): Promise<void>
}

/** Starts what is to run with these settings. Throws ConfigError where they are wrong. */
export type StartApp = (env: NodeJS.ProcessEnv, say: (line: string) => void) => Promise<RunningApp>

const command = 'npm start'
// npm passes on the Ctrl-C that the terminal has sent to this process already.
const sameKeystrokeMs = 1_000
const closeMs = 20_000

/**
 * Runs until a signal: a first one takes everything down in order, a second one at once. Sets exit
 * code 1, with one line a fault on stderr, when something cannot be started.
 */
export async function launch(env: NodeJS.ProcessEnv, loadApp: () => Promise<StartApp>) {
  const running: { services?: Services; app?: RunningApp } = {}
  const stop = listenForStop(() => running.services?.kill())
  try {
    await bringUp(env, { loadApp, running, stop })
    if (!stop.aborted) await once(stop, 'abort')
  } catch (error) {
    if (!stop.aborted) {
      console.error(describe(error, env))
      process.exitCode = 1
    }
  }
  await takeDown(running)
  // Open handles of the app must not keep a stopped shop alive.
  process.exit()
}

async function bringUp(
  env: NodeJS.ProcessEnv,
  {
    loadApp,
    running,
    stop,
  }: {
    loadApp: () => Promise<StartApp>
    running: { services?: Services; app?: RunningApp }
    stop: AbortSignal
  },
): Promise<void> {
  const { host, port } = previewConfig(env)
  const other = await readRuntime(dataDirectoryOf(env))
  if (other) throw new LocalServerError(alreadyRunning(other))
  const fault = await portFault(host, port)
  if (fault) throw new LocalServerError(fault)
  console.log('Orderstream is starting')
  const say = (line: string) => console.log(`  ${line}`)
  // One log line per request is for operators; a trial start stays readable.
  const chosen = {
    ...env,
    PAYMENT_PROVIDER: paymentProvider(env),
    LOG_LEVEL: env.LOG_LEVEL ?? 'warn',
    PORT: `${port === 0 ? await freePort() : port}`,
  }
  // The servers and the app get ready side by side.
  const loading = loadApp()
  loading.catch(() => undefined)
  running.services = await withServices(chosen, { command, log: say, exclusive: true })
  stop.throwIfAborted()
  const startApp = await loading
  running.app = await startApp(running.services.env, say)
  stop.throwIfAborted()
  const { mailsUrl } = running.services
  await running.services.announce({ api: running.app.url, ...(mailsUrl && { mails: mailsUrl }) })
  console.log(whereThingsAre(running.app.url, running.services))
}

/** Simulated by default; production has to name its provider. */
function paymentProvider(env: NodeJS.ProcessEnv): string {
  if (env.NODE_ENV === 'production') assertPaymentProvider(env)
  return env.PAYMENT_PROVIDER || 'simulated'
}

async function takeDown(running: { services?: Services; app?: RunningApp }): Promise<void> {
  if (running.services) console.log('Stopping')
  try {
    const late = new Promise(resolve => setTimeout(resolve, closeMs, 'late').unref())
    if ((await Promise.race([running.app?.close(), late])) === 'late') {
      console.error(`The app did not close within ${closeMs / 1000} seconds`)
    }
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
  try {
    await running.services?.stop()
    if (running.services) console.log('Stopped')
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

function listenForStop(kill: () => void): AbortSignal {
  const controller = new AbortController()
  let firstAt = 0
  const onSignal = () => {
    if (!controller.signal.aborted) {
      firstAt = performance.now()
      controller.abort()
    } else if (performance.now() - firstAt > sameKeystrokeMs) {
      kill()
      process.exit(1)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  // The reader of the output may be gone; the shop keeps running.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
  // An uncaught error ends the process: its servers must not keep running.
  process.on('uncaughtException', error => {
    console.error(error)
    process.exitCode = 1
    controller.abort()
  })
  return controller.signal
}

function whereThingsAre(url: string, services: Services): string {
  const { mailsUrl, dataDirectory, elsewhere } = services
  const inside = relative(process.cwd(), dataDirectory)
  const data = [inside.startsWith('..') ? dataDirectory : inside, ...elsewhere].join(' and ')
  // In another terminal DATA_DIR is not set: it tells a command everything else about this shop.
  const isDefault = dataDirectory === dataDirectoryOf({})
  const npmRun = isDefault ? 'npm run' : `DATA_DIR=${quoted(dataDirectory)} npm run`
  const lines = [
    ['Console', `${url}/console`],
    ['API docs', `${url}/docs`],
    ['OpenAPI', `${url}/openapi.json`],
    ['Mails', mailsUrl ? `${mailsUrl} (or: ${npmRun} mails)` : 'sent through SMTP_URL'],
    ['Data', data],
    ['First admin', `${npmRun} admin:create -- --username admin --email you@example.com`],
    ['Import', `${npmRun} import:retail -- FILE.csv.gz`],
  ]
  const table = lines.map(([name = '', value]) => `  ${name.padEnd(13)}${value}`)
  const end = `Ctrl-C stops everything; the data stays in ${data}`
  return [`Ready: ${url}`, ...table, end].join('\n')
}

/** As a word of a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

// Errors that the operator can fix are one line; others are defects and show their origin.
function describe(error: unknown, env: NodeJS.ProcessEnv): string {
  if (!(error instanceof Error)) return String(error)
  const known = error instanceof ConfigError || error instanceof LocalServerError
  const trace = !known && /^(debug|trace)$/.test(env.LOG_LEVEL ?? '')
  if (trace) return error.stack ?? error.message
  return known ? error.message : `Cannot start: ${error.message} (LOG_LEVEL=debug shows where)`
}
