// A shop as many processes: APIs and workers on one PostgreSQL, Redis and mail server, all of them
// behind proxies that can break what goes through.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, loadConfig } from '../../src/config/config.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import type { LocalServer } from '../../tools/local/localServer.ts'
import { startMailCatcher } from '../../tools/local/mailCatcher.ts'
import { mailFolder } from '../../tools/local/mailFiles.ts'
import { startLocalPostgres } from '../../tools/local/postgres.ts'
import { startLocalRedis } from '../../tools/local/redis.ts'
import { type CuttableProxy, cuttableProxy } from '../support/cuttableProxy.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { type SmallDisk, smallDisk } from '../support/smallDisk.ts'
import { waitFor } from '../support/waitFor.ts'
import { storeSettings } from './eventStoreNodes.ts'

/** One API or worker process, with a way to PostgreSQL of its own. */
export interface ShopProcess {
  name: string
  kind: 'api' | 'worker'
  /** Where an API serves, and a worker says how it is. */
  url: string
  /** Its connections to PostgreSQL. */
  toPostgres: CuttableProxy
  isUp(): boolean
  /** Resolves when an API is ready; a worker takes its time. */
  start(): Promise<void>
  /** Resolves when it says that it is ready. */
  ready(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Resolves with the exit code when it has ended. */
  ended(): Promise<number | null>
  /** What it has written to its log so far. */
  log(): Promise<string>
}

/** A server that can be stopped at once and comes back at the same place. */
export interface RestartableServer {
  port(): number
  pid(): number
  /** Stops it without warning and starts it again. */
  crash(downMs?: number): Promise<void>
  /** Starts it again where it has ended by itself. */
  revive(): Promise<void>
}

/** What has a disk of its own. */
const diskNames = ['postgres', 'redis', 'files', 'audit', 'mails'] as const
export type DiskName = (typeof diskNames)[number]
export type Disks = Record<DiskName, SmallDisk>

export interface Platform {
  directory: string
  mailFolder: string
  /** Settings of a process that is not behind any proxy. */
  config: Config
  apis: ShopProcess[]
  workers: ShopProcess[]
  processes: ShopProcess[]
  postgres: RestartableServer
  redis: RestartableServer
  toRedis: CuttableProxy
  toMail: CuttableProxy
  /** Undefined where this machine lets nobody mount any. */
  disks: Disks | undefined
  close(): Promise<void>
}

/** Starts servers, proxies and that many processes; resolves when all APIs are ready. */
export async function startPlatform(count: { apis: number; workers: number }): Promise<Platform> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    const troubles: unknown[] = []
    for (const stop of closers.splice(0).reverse()) {
      await stop().catch(error => troubles.push(error))
    }
    if (troubles.length > 0) throw new AggregateError(troubles, 'not all of it could be closed')
  }
  try {
    return { ...(await start(count, closers)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  count: { apis: number; workers: number },
  closers: (() => Promise<unknown>)[],
): Promise<Omit<Platform, 'close'>> {
  const directory = await temporaryDirectory()
  closers.push(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  const disks = mountDisks(directory, closers)
  const postgres = await restartable(directory, 'postgres', closers)
  const redis = await restartable(directory, 'redis', closers)
  const catcher = await startMailCatcher({ directory })
  closers.push(catcher.stop)
  const toRedis = await cuttableProxy('127.0.0.1', redis.server.port())
  const mailPort = Number(new URL(catcher.smtpUrl).port)
  const toMail = await cuttableProxy('127.0.0.1', mailPort)
  closers.push(toRedis.close, toMail.close)

  const settings = settingsOf(directory, toMail.port)
  const make = async (kind: 'api' | 'worker', n: number) => {
    const toPostgres = await cuttableProxy('127.0.0.1', postgres.server.port())
    closers.push(toPostgres.close)
    const port = await freePort()
    const env = {
      ...settings,
      DATABASE_URL: through(postgres.url, toPostgres.port),
      REDIS_URL: through(redis.url, toRedis.port),
      [kind === 'api' ? 'PORT' : 'METRICS_PORT']: `${port}`,
    }
    const made = shopProcess({ kind, name: `${kind}-${n}`, env, port, directory, toPostgres })
    closers.push(made.stop)
    return made.process
  }
  const each = (kind: 'api' | 'worker', howMany: number) =>
    Promise.all(Array.from({ length: howMany }, (_, n) => make(kind, n + 1)))
  const apis = await each('api', count.apis)
  const workers = await each('worker', count.workers)
  const processes = [...apis, ...workers]
  await Promise.all(processes.map(each => each.start()))
  return {
    directory,
    mailFolder: mailFolder(directory),
    config: loadConfig({ ...settings, DATABASE_URL: postgres.url, REDIS_URL: redis.url }),
    apis,
    workers,
    processes,
    postgres: postgres.server,
    redis: redis.server,
    toRedis,
    toMail,
    disks,
  }
}

function settingsOf(directory: string, mailPort: number) {
  return {
    SMTP_URL: `smtp://127.0.0.1:${mailPort}`,
    SECRET_KEY: randomBytes(32).toString('hex'),
    PUBLIC_URL: 'http://127.0.0.1:3000',
    PAYMENT_PROVIDER: 'simulated',
    RATE_LIMITS: 'off',
    LOG_LEVEL: 'warn',
    ...storeSettings,
    ACCESS_TOKEN_TTL_SECONDS: '7200',
    FILES_DIR: join(directory, 'files'),
    AUDIT_DIR: join(directory, 'audit'),
  }
}

function mountDisks(directory: string, closers: (() => Promise<unknown>)[]): Disks | undefined {
  const mount = (name: DiskName) => {
    const disk = smallDisk(join(directory, name))
    if (disk !== undefined) closers.push(async () => disk.unmount())
    return disk
  }
  const [postgres, redis, files, audit, mails] = diskNames.map(mount)
  const isWhole = postgres && redis && files && audit && mails
  return isWhole ? { postgres, redis, files, audit, mails } : undefined
}

function through(url: string, port: number): string {
  const other = new URL(url)
  other.port = `${port}`
  return other.href
}

async function restartable(
  directory: string,
  kind: 'postgres' | 'redis',
  closers: (() => Promise<unknown>)[],
): Promise<{ url: string; server: RestartableServer }> {
  const home = join(directory, kind)
  const launch = (): Promise<LocalServer> =>
    kind === 'postgres'
      ? startLocalPostgres({ directory: home })
      : startLocalRedis({ directory: home, path: process.env.PATH })
  let server = await launch()
  closers.push(() => server.stop())
  const { url } = server
  return {
    url,
    server: {
      port: () => Number(new URL(url).port),
      pid: () => server.pid,
      async crash(downMs = 0) {
        // PostgreSQL ends its sessions with it and recovers at the next start; Redis dies.
        process.kill(server.pid, kind === 'postgres' ? 'SIGQUIT' : 'SIGKILL')
        await waitFor(`the end of ${kind}`, () => !isAlive(server.pid), 30_000)
        await new Promise(resolve => setTimeout(resolve, downMs))
        server = await launch()
        if (server.url !== url) throw new Error(`${kind} came back at another place`)
      },
      async revive() {
        if (!isAlive(server.pid)) server = await launch()
      },
    },
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Making {
  kind: 'api' | 'worker'
  name: string
  env: Record<string, string>
  port: number
  directory: string
  toPostgres: CuttableProxy
}

function shopProcess({ kind, name, env, port, directory, toPostgres }: Making) {
  const logFile = join(directory, `${name}.log`)
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let closed: Promise<unknown> = Promise.resolve()
  const isUp = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const log = () => readFile(logFile, 'utf8').catch(() => '')

  async function begin() {
    const output = openSync(logFile, 'a')
    const script = kind === 'api' ? 'src/main/api.ts' : 'src/main/worker.ts'
    const { PATH = '', HOME = '/' } = process.env
    child = spawn(process.execPath, [script], {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', output, output],
      detached: true,
    })
    closeSync(output)
    closed = once(child, 'close')
    if (kind === 'api') await ready()
  }

  async function ready() {
    await waitFor(
      `${name} to be ready`,
      async () => {
        if (!isUp()) throw new Error(`${name} ended: ${(await log()).slice(-2_000)}`)
        return fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })
          .then(({ status }) => status === 200)
          .catch(() => false)
      },
      60_000,
    )
  }

  const process_: ShopProcess = {
    name,
    kind,
    url,
    toPostgres,
    isUp,
    start: begin,
    ready,
    signal(signal) {
      if (isUp()) child?.kill(signal)
    },
    ended: () => closed.then(() => child?.exitCode ?? null),
    log,
  }
  const stop = async () => {
    process_.signal('SIGCONT')
    process_.signal('SIGKILL')
    await closed
  }
  return { process: process_, stop }
}
