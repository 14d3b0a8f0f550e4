// A private Redis for local use: found running, or started, or installed and started.
import { accessSync, constants } from 'node:fs'
import { chmod, readFile, realpath, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { Redis } from 'ioredis'
import Type from 'typebox'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { makeDirectory } from '../../src/kit/makeDirectory.ts'
import { type LocalServer, LocalServerError, type Log } from './localServer.ts'
import { randomPassword, readPrivate, writePrivate } from './privateFiles.ts'
import {
  commandLine,
  isRunning,
  run,
  signalProcess,
  spawnServer,
  stopProcess,
  waitUntil,
} from './processes.ts'

export interface LocalRedisOptions {
  /** Holds its data, configuration and log. */
  directory: string
  log?: Log
  /** Whether a missing server may be installed with apt-get, as root. Default: true. */
  install?: boolean
  /** The PATH of the environment, searched before the default directories. */
  path?: string | undefined
  /** Looked at after the path. Default: where Debian and others put programs. */
  defaultDirectories?: readonly string[]
}

interface Place {
  home: string
  password: string
  port: number
}

const State = Type.Object({ password: Type.String(), port: Type.Integer() })
const defaultDirectories = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
]
const startMs = 60_000

/**
 * Gives a Redis server on 127.0.0.1 with its own password and directory. One that still runs for
 * this directory is adopted. Throws LocalServerError with one line when there is none to start.
 */
export async function startLocalRedis(options: LocalRedisOptions): Promise<LocalServer> {
  const { directory, log = () => undefined } = options
  await makeDirectory(directory)
  const home = await realpath(directory)
  await chmod(home, 0o700)
  const place = { home, ...(await readState(join(home, 'server.json'))) }
  const adopted = await adopt(place)
  const program = adopted === undefined ? findOrInstall(options, log) : undefined
  const { pid, port } = adopted ?? (await launch(place, program ?? ''))
  return {
    url: url(place.password, port),
    adopted: adopted !== undefined,
    pid,
    dataDirectory: home,
    label: await version(url(place.password, port)),
    stop: () =>
      stopProcess(pid, [
        { signal: 'SIGTERM', waitMs: 30_000 },
        { signal: 'SIGKILL', waitMs: 5_000 },
      ]),
    kill: () => signalProcess(pid, 'SIGTERM'),
  }
}

/** The first of these programs on the path or in the usual places; undefined when there is none. */
export function findProgram(
  names: readonly string[],
  path = '',
  directories: readonly string[] = defaultDirectories,
): string | undefined {
  const searched = [...path.split(delimiter).filter(Boolean), ...directories]
  const candidates = names.flatMap(name => searched.map(directory => join(directory, name)))
  return candidates.find(isExecutable)
}

async function readState(file: string): Promise<{ password: string; port: number }> {
  const state = await readPrivate(file, State).catch(() => {
    throw new LocalServerError(`${file} belongs to another user: run as that user, or set DATA_DIR`)
  })
  return state ?? { password: randomPassword(), port: 0 }
}

function findOrInstall(options: LocalRedisOptions, log: Log): string {
  const find = (...names: string[]) => findProgram(names, options.path, options.defaultDirectories)
  const found = find('redis-server', 'valkey-server')
  if (found) return found
  const aptGet = find('apt-get')
  const command = 'apt-get install -y redis-server'
  if (options.install === false || !aptGet || process.getuid?.() !== 0) {
    const remedy = aptGet ? `run sudo ${command}` : 'install redis-server or valkey-server'
    throw new LocalServerError(`Redis is needed and not here: ${remedy}, or set REDIS_URL`)
  }
  log(`Redis is not installed: running ${command}`)
  const problem = installRedis(aptGet)
  const installed = find('redis-server', 'valkey-server')
  if (installed) return installed
  throw new LocalServerError(
    `${command} failed (${problem}): install Redis by hand, or set REDIS_URL`,
  )
}

function installRedis(aptGet: string): string {
  // In run level 1 the package does not start a service of its own.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const args = ['install', '-y', '--no-install-recommends', 'redis-server']
  if (run(aptGet, args, { env }).ok) return ''
  run(aptGet, ['update'], { env })
  const { output } = run(aptGet, args, { env })
  return output.split('\n').findLast(line => line.startsWith('E:')) ?? 'it gave no reason'
}

async function adopt({ home, password, port }: Place) {
  const pid = Number(await readFile(join(home, 'redis.pid'), 'utf8').catch(() => '0'))
  if (pid === 0 || !serves(pid, home, port)) return undefined
  // Two servers on one append-only file would ruin it: wait while this one loads its data.
  const answers = async () => (await serverPid(url(password, port))) === pid
  if (await waitUntil(async () => !isRunning(pid) || (await answers()), startMs)) {
    return isRunning(pid) ? { pid, port } : undefined
  }
  throw new LocalServerError(
    `Redis (pid ${pid}) holds ${home} in silence: stop it with: kill ${pid}`,
  )
}

// The pid may be a stranger's by now. Redis shows its file at first, and then its address.
function serves(pid: number, home: string, port: number): boolean {
  const command = isRunning(pid) ? commandLine(pid) : ''
  const isServer = /(redis|valkey)-server/.test(command)
  return isServer && (command.includes(home) || command.includes(`127.0.0.1:${port}`))
}

async function launch(place: Place, program: string): Promise<{ pid: number; port: number }> {
  const port = await freePort(place.port)
  await writePrivate(join(place.home, 'server.json'), { password: place.password, port })
  const configuration = join(place.home, 'redis.conf')
  await writePrivate(configuration, settings(place, port))
  const logFile = join(place.home, 'server.log')
  const from = await stat(logFile).then(
    file => file.size,
    () => 0,
  )
  // Root drops to the owner of the data, so that they can run it the next time.
  const { uid, gid } = await stat(place.home)
  const account = process.getuid?.() === 0 && uid !== 0 ? { uid, gid } : undefined
  const server = await spawnServer(program, [configuration], { logFile, account })
  const ready = async () =>
    server.hasExited() || (await serverPid(url(place.password, port))) === server.pid
  if ((await waitUntil(ready, startMs)) && !server.hasExited()) return { pid: server.pid, port }
  signalProcess(server.pid, 'SIGKILL')
  const output = (await readFile(logFile)).subarray(from).toString('utf8').trim().split('\n')
  throw new LocalServerError(`Redis did not start: ${output.at(-1)} (log: ${logFile})`)
}

function settings({ home, password }: Place, port: number): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(home)}`,
    `pidfile ${JSON.stringify(join(home, 'redis.pid'))}`,
    'daemonize no',
    'databases 16',
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
  ].join('\n')
}

function url(password: string, port: number): string {
  return `redis://:${password}@127.0.0.1:${port}`
}

// undefined while it does not answer, or is still loading its data.
async function serverPid(address: string): Promise<number | undefined> {
  const info = await serverInfo(address)
  return info.includes('loading:1') ? undefined : Number(/^process_id:(\d+)/m.exec(info)?.[1])
}

async function version(address: string): Promise<string> {
  const info = await serverInfo(address)
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1]
  return valkey ? `valkey ${valkey}` : `redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? ''}`
}

async function serverInfo(address: string): Promise<string> {
  const client = new Redis(address, {
    lazyConnect: true,
    // The default of two seconds keeps a process that long from ending after a refused connection.
    disconnectTimeout: 50,
    connectTimeout: 2_000,
    commandTimeout: 5_000,
    retryStrategy: () => null,
    enableReadyCheck: false,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await client.info()
  } catch {
    return ''
  } finally {
    client.disconnect()
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
