// Processor time by part of the shop, from /proc: unlike throughput it holds on another machine.
import { readdir, readFile } from 'node:fs/promises'
import type { Pool } from '../src/infra/postgres/database.ts'
import { createRedis } from '../src/infra/redis/redis.ts'

/** Microseconds of processor time by part of the shop. */
export type ProcessorTime = Readonly<Record<string, number>>

export interface ProcessorClock {
  /** Counts a process and its children for a part. */
  watch(part: string, pid: number): void
  /** Counts a process, and of its children those that have ended. */
  watchAlone(part: string, pid: number): void
  /** The time used so far. */
  read(): Promise<ProcessorTime>
}

interface ProcessStat {
  pid: number
  parent: number
  /** With that of its children that have ended. */
  us: number
}

interface Watched {
  part: string
  pid: number
  hasChildren: boolean
}

/** Linux counts in hundredths of a second. */
const usATick = 10_000
const isLocal = /^(127\.|localhost$|\[?::1|\/)/

/** A clock that counts PostgreSQL and Redis where they run on this machine. */
export async function createProcessorClock(
  pool: Pool,
  servers: { databaseUrl: string; redisUrl: string },
): Promise<ProcessorClock> {
  const watched: Watched[] = []
  const clock: ProcessorClock = {
    watch: (part, pid) => void watched.push({ part, pid, hasChildren: true }),
    watchAlone: (part, pid) => void watched.push({ part, pid, hasChildren: false }),
    read: async () => sumByPart(watched, await processStats()),
  }
  if (isLocal.test(new URL(servers.databaseUrl).hostname)) {
    const postmaster = await postmasterOf(pool)
    if (postmaster !== undefined) clock.watch('PostgreSQL', postmaster)
  }
  if (isLocal.test(new URL(servers.redisUrl).hostname)) {
    clock.watch('Redis', await redisPid(servers.redisUrl))
  }
  return clock
}

/** What one of `count` requests has used of the time between two readings, by part. */
export function timePerRequest(
  before: ProcessorTime,
  after: ProcessorTime,
  count: number,
): ProcessorTime {
  return Object.fromEntries(
    Object.entries(after)
      .map(([part, us]): [string, number] => [part, (us - (before[part] ?? 0)) / count])
      .filter(([, us]) => us >= 1),
  )
}

function sumByPart(watched: readonly Watched[], stats: readonly ProcessStat[]): ProcessorTime {
  const children = Map.groupBy(stats, ({ parent }) => parent)
  const byPid = new Map(stats.map(stat => [stat.pid, stat.us]))
  const treeUs = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + treeUs(child.pid), byPid.get(pid) ?? 0)
  const total: Record<string, number> = {}
  for (const { part, pid, hasChildren } of watched) {
    total[part] = (total[part] ?? 0) + (hasChildren ? treeUs(pid) : (byPid.get(pid) ?? 0))
  }
  return total
}

/** All processes of this machine; none where there is no /proc. */
async function processStats(): Promise<ProcessStat[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter(name => /^\d+$/.test(name))
  const stats = await Promise.all(
    pids.map(async pid => parseStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))),
  )
  return stats.filter(stat => stat !== undefined)
}

/** Reads a line of /proc/PID/stat; undefined where the process has ended. */
export function parseStat(line: string): ProcessStat | undefined {
  // The name of the program is in parentheses and may contain some itself.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).map(Number)
  if (ticks.length < 4) return undefined
  const us = ticks.reduce((sum, each) => sum + each, 0) * usATick
  return { pid: Number.parseInt(line, 10), parent: Number(fields[1]), us }
}

/** The parent of every PostgreSQL backend. */
async function postmasterOf(pool: Pool): Promise<number | undefined> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  const backend = (await processStats()).find(({ pid }) => pid === rows[0]?.pid)
  return backend?.parent
}

async function redisPid(redisUrl: string): Promise<number> {
  const redis = createRedis(redisUrl)
  try {
    return Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1])
  } finally {
    redis.disconnect()
  }
}
