// The shop under test: API and workers as processes of their own, as in production.
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../src/config/config.ts'
import { freePort } from '../src/infra/system/tcpPorts.ts'
import { type AppServices, openServices } from '../src/main/openServices.ts'
import { projectionStates } from '../src/projections/order/orderQueries.ts'
import { type Child, startScript } from './child.ts'
import type { BenchDatabase } from './database.ts'
import { startMailSink } from './mailSink.ts'

export interface BenchApp {
  url: string
  /** A door to the same log and database, for what has to be there before it is measured. */
  back: AppServices
  api: Child
  /** Starts one more API; its address. It ends with the shop. */
  startApi(): Promise<string>
  /** Starts a worker; it ends with the shop. */
  startWorker(): Promise<Child>
  /** Waits until every read model is where the log ends. */
  catchUp(): Promise<void>
  close(): Promise<void>
}

const startMs = 60_000
const stuckMs = 60_000

/** Starts an API on a benchmark's database. Limits by caller are off, nothing else is. */
export async function startShop(database: BenchDatabase): Promise<BenchApp> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const stop of closers.splice(0).reverse()) await stop()
  }
  try {
    const mails = await startMailSink()
    closers.push(mails.stop)
    const settings = {
      ...settingsOn(database),
      PAYMENT_PROVIDER: 'simulated',
      SMTP_URL: mails.smtpUrl,
    }
    const back = await openServices(loadConfig(settings))
    closers.push(back.close)
    const start = (script: string, part: string, own: Record<string, string> = {}) => {
      const child = startScript(script, { ...settings, ...own })
      closers.push(child.stop)
      database.clock.watch(part, child.pid)
      return child
    }
    const startApi = async () => {
      const port = await freePort()
      const child = start('src/main/api.ts', 'API', { PORT: `${port}` })
      const url = `http://127.0.0.1:${port}`
      await ready(child, `${url}/healthz`)
      return { child, url }
    }
    const { url, child: api } = await startApi()
    return {
      url,
      back,
      api,
      startApi: async () => (await startApi()).url,
      startWorker: async () => start('src/main/worker.ts', 'worker'),
      catchUp: () => catchUp(back),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** What processes of the shop are told about a benchmark's servers. */
export function settingsOn(database: BenchDatabase): Record<string, string> {
  return {
    DATABASE_URL: database.url,
    REDIS_URL: database.redisUrl,
    // Nobody listens there: what sends no mail needs no server.
    SMTP_URL: 'smtp://127.0.0.1:9',
    SECRET_KEY: database.secretKey,
    RATE_LIMITS: 'off',
    // All clients of a benchmark share an address, which gets half of the places at most.
    LIVE_CONNECTIONS_MAX: '2000',
    ACCESS_TOKEN_TTL_SECONDS: '86400',
    ORDER_EXPIRY_MINUTES: '1440',
    FILES_DIR: `${database.directory}/files`,
    // A line a request is for operators, and npm start leaves it out as well.
    LOG_LEVEL: 'warn',
    ...database.more,
  }
}

async function ready(child: Child, url: string): Promise<void> {
  const deadline = performance.now() + startMs
  while (performance.now() < deadline) {
    if (child.hasEnded()) throw new Error(`a process did not start: ${child.said()}`)
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error(`a process did not start in ${startMs / 1_000} s: ${child.said()}`)
}

async function catchUp({ db, eventStore }: AppServices): Promise<void> {
  const head = await eventStore.head()
  let reached = ''
  let deadline = performance.now() + stuckMs
  for (;;) {
    const states = await projectionStates(db)
    if (states.length > 0 && states.every(({ position }) => position >= head)) return
    const positions = states.map(({ position }) => position).join()
    if (positions !== reached) deadline = performance.now() + stuckMs
    else if (performance.now() > deadline) throw new Error('the read models do not get any further')
    reached = positions
    await sleep(50)
  }
}
