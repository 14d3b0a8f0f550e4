// What goes wrong around a shop: each fault is begun and ended here, and the shop gets no help.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Random } from '../support/random.ts'
import { storeSettings } from './eventStoreNodes.ts'
import type { Platform, ShopProcess } from './platform.ts'

export interface Nemesis {
  name: string
  /** Breaks something and mends it; how many processes died meanwhile. */
  strike(platform: Platform, random: Random, probe: Probe): Promise<number>
}

/** With what a nemesis asks the shop for something itself. */
export interface Probe {
  /** Of a customer, and of an admin. */
  token: string
  admin: string
  productId: string
  /** For somebody new. */
  password: string
}

type Strike = (platform: Platform, random: Random) => Promise<number>

const kill =
  (kind: 'apis' | 'workers'): Strike =>
  async (platform, random) => {
    const process_ = anyOf(platform[kind], random)
    process_.signal('SIGKILL')
    await process_.ended()
    await pause(random.between(0, 3_000))
    await process_.start()
    return 1
  }

const freeze =
  (kind: 'apis' | 'workers'): Strike =>
  async (platform, random) => {
    const process_ = anyOf(platform[kind], random)
    process_.signal('SIGSTOP')
    await pause(15_000)
    process_.signal('SIGCONT')
    // What it was doing when it stopped may be done again by the one that took over.
    return 1
  }

function anyOf(processes: readonly ShopProcess[], random: Random): ShopProcess {
  const chosen = processes[random.between(0, processes.length - 1)]
  if (chosen === undefined) throw new Error('there is no process to choose from')
  return chosen
}

/** Faults of processes. */
export const deaths: Nemesis[] = [
  { name: 'kill -9 of an API', strike: kill('apis') },
  { name: 'kill -9 of a worker', strike: kill('workers') },
  { name: 'an API stands still for 15 s', strike: freeze('apis') },
  { name: 'a worker stands still for 15 s', strike: freeze('workers') },
  {
    name: 'rolling restart of all processes',
    async strike({ processes }) {
      for (const process_ of processes) {
        process_.signal('SIGTERM')
        const code = await Promise.race([process_.ended(), pause(20_000, 'late')])
        if (code !== 0) throw new Error(`${process_.name} ended with ${code} on SIGTERM`)
        await process_.start()
        await process_.ready()
      }
      return 0
    },
  },
]

/** Faults of servers. */
export const outages: Nemesis[] = [
  {
    name: 'PostgreSQL stops at once and comes back',
    async strike({ postgres }, random) {
      await postgres.crash(random.between(0, 3_000))
      return 0
    },
  },
  {
    name: 'kill -9 of one session of PostgreSQL',
    async strike({ config }) {
      const client = new pg.Client({ connectionString: config.databaseUrl.reveal() })
      client.on('error', () => undefined)
      await client.connect()
      const { rows } = await client.query<{ pid: number }>(
        `select pid from pg_stat_activity
          where application_name like 'orderstream%' and pid <> pg_backend_pid() limit 1`,
      )
      // The server ends all sessions when one of them dies like this, and recovers.
      for (const { pid } of rows) process.kill(pid, 'SIGKILL')
      await client.end().catch(() => undefined)
      return 0
    },
  },
  {
    name: 'Redis dies and comes back',
    async strike({ redis }, random) {
      await redis.crash(random.between(0, 3_000))
      return 0
    },
  },
  {
    name: 'Redis loses everything',
    async strike({ config }) {
      const client = new Redis(config.redisUrl.reveal())
      await client.flushall()
      client.disconnect()
      return 0
    },
  },
]

/** Faults of the network. */
export const silences: Nemesis[] = [
  {
    name: 'all connections to PostgreSQL go silent',
    async strike({ processes }) {
      for (const { toPostgres } of processes) toPostgres.silence()
      return 0
    },
  },
  {
    name: 'the connections of one worker to PostgreSQL go silent',
    async strike({ workers }, random) {
      anyOf(workers, random).toPostgres.silence()
      return 0
    },
  },
  {
    name: 'requests reach PostgreSQL and answers do not come back',
    async strike({ processes }) {
      for (const { toPostgres } of processes) toPostgres.silence('to the client')
      return 0
    },
  },
  {
    name: 'all connections to Redis and the mail server go silent',
    async strike({ toRedis, toMail }) {
      toRedis.silence()
      toMail.silence()
      // A mail that was handed over without an answer cannot be known to have arrived.
      return 3
    },
  },
  {
    name: 'all connections are cut',
    async strike({ processes, toRedis, toMail }) {
      const proxies = [...processes.map(({ toPostgres }) => toPostgres), toRedis, toMail]
      await Promise.all(proxies.map(proxy => proxy.cut()))
      return 3
    },
  },
  {
    name: 'everything from PostgreSQL comes 500 ms late for 5 s',
    async strike({ processes }) {
      for (const { toPostgres } of processes) toPostgres.delay(250)
      await pause(5_000)
      for (const { toPostgres } of processes) toPostgres.delay(0)
      return 0
    },
  },
]

export const rebuildWhileKilled: Nemesis = {
  name: 'a rebuild of the orders while a worker is killed',
  async strike(platform, random) {
    const rebuild = runScript(platform, 'tools/projections.ts', ['rebuild', 'orders'])
    await pause(random.between(0, 2_000))
    const died = await kill('workers')(platform, random)
    const { code, output } = await rebuild
    if (code !== 0) throw new Error(`the rebuild ended with ${code}: ${output}`)
    return died
  },
}

/** Runs a script of the shop past all proxies, to its end. */
export async function runScript({ config, directory }: Platform, script: string, args: string[]) {
  const { PATH = '', HOME = '/' } = process.env
  const child = spawn(process.execPath, [script, ...args], {
    env: {
      PATH,
      HOME,
      DATA_DIR: directory,
      DATABASE_URL: config.databaseUrl.reveal(),
      REDIS_URL: config.redisUrl.reveal(),
      SMTP_URL: config.smtpUrl.reveal(),
      SECRET_KEY: config.secretKey.reveal(),
      PAYMENT_PROVIDER: 'simulated',
      ...storeSettings,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  }
  await once(child, 'close')
  return { code: child.exitCode, output }
}
