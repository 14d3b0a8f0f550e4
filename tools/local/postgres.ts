// A PostgreSQL for local use: found running, or started, or set up and started.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { type LocalServer, LocalServerError, type Log } from './localServer.ts'
import {
  type Cluster,
  lastLine,
  openCluster,
  postmaster,
  serves,
  superuser,
} from './postgresCluster.ts'
import {
  isRunning,
  type SpawnedServer,
  signalProcess,
  spawnServer,
  stopProcess,
  waitUntil,
} from './processes.ts'

export interface LocalPostgresOptions {
  /** Holds its password, port and log; the data too unless PostgreSQL cannot reach it. */
  directory: string
  log?: Log
  /** False gives up safety in a crash for speed: only for tests that do not crash anything. */
  durable?: boolean
}

const database = 'orderstream'
const megabyte = 1024 * 1024
// Recovery after a crash replays at most max_wal_size; a slow disk may need minutes for that.
const startMs = 180_000
const transient = /could not bind|already exists|pre-existing shared memory|is still in use/

/**
 * Gives a PostgreSQL server on 127.0.0.1 with the database "orderstream". One that still runs
 * for this directory is adopted. Throws LocalServerError with one line when it cannot start.
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<LocalServer> {
  const { directory, log = () => undefined, durable = true } = options
  const cluster = await openCluster(directory, { log, durable })
  const adopted = await adopt(cluster)
  const { pid, port } = adopted ?? (await launch(cluster, durable))
  await ensureDatabase(cluster, port)
  return {
    url: url(cluster, port, database),
    adopted: adopted !== undefined,
    pid,
    dataDirectory: cluster.path,
    label: `embedded ${cluster.binaries.version}`,
    // SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
    stop: () =>
      stopProcess(pid, [
        { signal: 'SIGINT', waitMs: 60_000 },
        { signal: 'SIGQUIT', waitMs: 10_000 },
      ]),
    kill: () => signalProcess(pid, 'SIGQUIT'),
  }
}

async function adopt(cluster: Cluster): Promise<{ pid: number; port: number } | undefined> {
  const found = await postmaster(cluster.path)
  if (found === undefined) return undefined
  const { pid, port } = found
  if (!serves(pid, cluster.path)) {
    if (isRunning(pid)) await disown(cluster.path)
    return undefined
  }
  const exited = await waitUntil(
    async () => !isRunning(pid) || (await accepts(cluster, port)),
    startMs,
  )
  if (!exited) {
    const remedy = `stop it with: kill -INT ${pid}`
    throw new LocalServerError(
      `PostgreSQL (pid ${pid}) holds ${cluster.path} in silence: ${remedy}`,
    )
  }
  return isRunning(pid) ? found : undefined
}

// After a reboot the pid in the lock file can be that of a stranger, and PostgreSQL would refuse to
// start. The rest of the file has to stay: by it PostgreSQL finds sessions that outlived a killed
// server. It takes the pid of its own parent for stale.
async function disown(path: string): Promise<void> {
  const lockFile = join(path, 'postmaster.pid')
  const [, ...rest] = (await readFile(lockFile, 'utf8')).split('\n')
  await writeFile(lockFile, [process.pid, ...rest].join('\n'))
}

async function launch(cluster: Cluster, durable: boolean): Promise<{ pid: number; port: number }> {
  const deadline = performance.now() + startMs
  for (;;) {
    const port = await freePort(cluster.port)
    if (port !== cluster.port) await cluster.rememberPort(port)
    const from = await stat(cluster.logFile).then(
      file => file.size,
      () => 0,
    )
    const { binaries, logFile, account } = cluster
    const args = ['-D', cluster.path, ...serverArguments(port, durable)]
    const server = await spawnServer(binaries.postgres, args, { logFile, account })
    if (await becomesReady(cluster, port, server)) return { pid: server.pid, port }
    const output = (await readFile(logFile)).subarray(from).toString('utf8')
    if (!transient.test(output) || performance.now() > deadline) {
      throw new LocalServerError(`PostgreSQL did not start: ${lastLine(output)} (log: ${logFile})`)
    }
    await waitUntil(() => false, 250)
  }
}

async function becomesReady(cluster: Cluster, port: number, server: SpawnedServer) {
  const ready = async () => server.hasExited() || (await accepts(cluster, port))
  if (await waitUntil(ready, startMs)) return !server.hasExited()
  await stopProcess(server.pid, [{ signal: 'SIGQUIT', waitMs: 10_000 }])
  return false
}

function serverArguments(port: number, durable: boolean): string[] {
  const memory = totalmem() / megabyte
  const safety = durable ? 'on' : 'off'
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: safety,
    synchronous_commit: safety,
    full_page_writes: safety,
    shared_buffers: `${Math.round(Math.min(256, Math.max(32, memory / 8)))}MB`,
    effective_cache_size: `${Math.round(Math.max(128, memory / 2))}MB`,
    maintenance_work_mem: '64MB',
    max_connections: 300,
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    random_page_cost: '1.1',
    idle_in_transaction_session_timeout: 0,
    jit: 'off',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function url(cluster: Cluster, port: number, name: string): string {
  return `postgres://${superuser}:${cluster.password}@127.0.0.1:${port}/${name}`
}

/** Throws when the server refuses the password: waiting would not help. */
async function accepts(cluster: Cluster, port: number): Promise<boolean> {
  try {
    await query(url(cluster, port, 'postgres'), 'select 1')
    return true
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '28P01') return false
    const where = `the server of ${cluster.path}`
    throw new LocalServerError(`PostgreSQL: ${where} refuses the password that is stored with it`)
  }
}

async function ensureDatabase(cluster: Cluster, port: number): Promise<void> {
  const server = url(cluster, port, 'postgres')
  const found = await query(server, `select 1 from pg_database where datname = '${database}'`)
  if (found === 0) await query(server, `create database ${database}`)
}

/** Runs one statement on a session of its own and gives the number of rows. */
async function query(connectionString: string, text: string): Promise<number> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rowCount } = await client.query(text)
    return rowCount ?? 0
  } finally {
    await client.end().catch(() => undefined)
  }
}
