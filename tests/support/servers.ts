// The PostgreSQL and Redis of a whole test run, in a temporary directory of their own.
import { chmod, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocalPostgres } from '../../tools/local/postgres.ts'
import { postmaster, serves } from '../../tools/local/postgresCluster.ts'
import { birthMark, commandLine, isRunning, signalProcess } from '../../tools/local/processes.ts'
import { startLocalRedis } from '../../tools/local/redis.ts'

const prefix = 'orderstream-test-'

export interface TestServers {
  /** A database of a superuser, from which others can be created. */
  databaseUrl: string
  redisUrl: string
  stop(): Promise<void>
}

/** A directory that a server running as another user can enter, too; the caller removes it. */
export const temporaryDirectory = (): Promise<string> => directoryUnder(tmpdir())

async function directoryUnder(parent: string): Promise<string> {
  const directory = await mkdtemp(join(parent, prefix))
  await chmod(directory, 0o755)
  return directory
}

const memory = '/dev/shm'
/** The databases of all test files together stay far below this. */
const roomNeeded = 8 * 2 ** 30

/** In memory where there is room: what waits for the disk there waits for nothing. */
async function placeForServers(): Promise<string> {
  const space = await statfs(memory).catch(() => undefined)
  const room = Math.min(space ? space.bavail * space.bsize : 0, freemem())
  return room >= roomNeeded ? memory : tmpdir()
}

/**
 * Starts both, with the same settings for safety against crashes as the shop demands them.
 * TEST_DATABASE_URL (of a superuser) and TEST_REDIS_URL (whose data is deleted) name servers to
 * use instead.
 */
export async function startTestServers(env: NodeJS.ProcessEnv): Promise<TestServers> {
  await sweep(tmpdir())
  await sweep(memory)
  const directory = await directoryUnder(await placeForServers())
  await writeFile(join(directory, 'owner'), ownerMark(process.pid))
  const postgres = env.TEST_DATABASE_URL
    ? undefined
    : await startLocalPostgres({ directory: join(directory, 'postgres') })
  const redis = env.TEST_REDIS_URL
    ? undefined
    : await startLocalRedis({ directory: join(directory, 'redis'), path: env.PATH })
  return {
    databaseUrl: postgres?.url ?? env.TEST_DATABASE_URL ?? '',
    redisUrl: redis?.url ?? env.TEST_REDIS_URL ?? '',
    stop: async () => {
      await Promise.all([postgres?.stop(), redis?.stop()])
      await rm(directory, { recursive: true, force: true, maxRetries: 20 })
      if (postgres)
        await rm(postgres.dataDirectory, { recursive: true, force: true, maxRetries: 20 })
    },
  }
}

// A run that was killed leaves its servers behind; the next run ends them.
async function sweep(parent: string): Promise<void> {
  const entries = await readdir(parent).catch(() => [])
  for (const name of entries.filter(entry => entry.startsWith(prefix))) {
    const directory = join(parent, name)
    const owner = await readFile(join(directory, 'owner'), 'utf8').catch(() => '')
    const pid = Number.parseInt(owner, 10)
    if (!pid || (isRunning(pid) && ownerMark(pid) === owner)) continue
    const cluster = join(directory, 'postgres', 'cluster')
    const server = await postmaster(cluster)
    if (server && serves(server.pid, cluster)) signalProcess(server.pid, 'SIGQUIT')
    const redis = await readFile(join(directory, 'redis', 'redis.pid'), 'utf8').catch(() => '0')
    if (commandLine(Number(redis)).includes('redis-server')) signalProcess(Number(redis), 'SIGKILL')
    await rm(directory, { recursive: true, force: true, maxRetries: 20 })
  }
}

function ownerMark(pid: number): string {
  return `${pid} ${birthMark(pid)}`
}
