// Faults of PostgreSQL and Redis that answer: paused, read-only, full, or ending every session.
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Nemesis } from './nemeses.ts'
import type { Platform } from './platform.ts'

const lastsMs = 6_000

/** Faults of servers that live. */
export const troubledServers: Nemesis[] = [
  {
    name: 'PostgreSQL ends all sessions, five times a second',
    strike: platform =>
      asSuperuser(platform, async client => {
        const until = Date.now() + 10_000
        while (Date.now() < until) {
          await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`)
          await pause(200)
        }
      }),
  },
  {
    name: 'PostgreSQL only reads',
    strike: platform =>
      asSuperuser(platform, async client => {
        await setReadOnly(client, 'on')
        await pause(lastsMs)
        await setReadOnly(client, 'off')
      }),
  },
  {
    name: 'PostgreSQL takes no new sessions',
    async strike({ postgres }) {
      const pid = postgres.pid()
      process.kill(pid, 'SIGSTOP')
      await pause(lastsMs)
      process.kill(pid, 'SIGCONT')
      return 0
    },
  },
  {
    name: 'one session of PostgreSQL stands still for 15 s',
    strike: platform =>
      asSuperuser(platform, async client => {
        const { rows } = await client.query<{ pid: number }>(`select pid from pg_stat_activity
          where application_name like 'orderstream%' and pid <> pg_backend_pid()
          order by state_change desc limit 1`)
        for (const { pid } of rows) process.kill(pid, 'SIGSTOP')
        await pause(15_000)
        for (const { pid } of rows) process.kill(pid, 'SIGCONT')
      }),
  },
  {
    name: 'Redis pauses for 8 s',
    strike: platform =>
      onRedis(platform, async redis => {
        await redis.call('CLIENT', 'PAUSE', '8000', 'ALL')
        await pause(8_000)
      }),
  },
  {
    name: 'Redis has no memory left',
    strike: platform =>
      onRedis(platform, async redis => {
        await redis.config('SET', 'maxmemory', '1')
        await pause(lastsMs)
        await redis.config('SET', 'maxmemory', '0')
      }),
  },
]

async function asSuperuser(
  { config }: Platform,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<number> {
  const client = new pg.Client({ connectionString: config.databaseUrl.reveal() })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
  return 0
}

async function setReadOnly(client: pg.Client, to: 'on' | 'off'): Promise<void> {
  await client.query(`alter system set default_transaction_read_only = ${to}`)
  await client.query('select pg_reload_conf()')
}

async function onRedis(
  { config }: Platform,
  work: (redis: Redis) => Promise<unknown>,
): Promise<number> {
  const redis = new Redis(config.redisUrl.reveal())
  redis.on('error', () => undefined)
  try {
    await work(redis)
  } finally {
    redis.disconnect()
  }
  return 0
}
