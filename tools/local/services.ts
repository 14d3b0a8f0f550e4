// The servers a command needs: those of the environment, those that run already, or local ones.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, constants, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { type Config, loadConfig, settings } from '../../src/config/config.ts'
import { databaseFault, redisFault } from '../../src/infra/system/reach.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { makeDirectory, whyNotKept } from '../../src/kit/makeDirectory.ts'
import { LocalServerError, type Log } from './localServer.ts'
import { startMailCatcher } from './mailCatcher.ts'
import { startLocalPostgres } from './postgres.ts'
import { writePrivate } from './privateFiles.ts'
import { waitUntil } from './processes.ts'
import { startLocalRedis } from './redis.ts'
import { claim, publish, type Runtime, readRuntime, release } from './runtimeFile.ts'

export interface ServicesOptions {
  /** The name of this command, for the error of another one: "npm start". */
  command: string
  log?: Log
  /** The launcher refuses to share: it fails when another command runs the local servers. */
  exclusive?: boolean
}

export interface Services {
  /** The environment with every server and the secret key filled in. */
  env: NodeJS.ProcessEnv
  /** Whether this call started anything, which stop() will stop again. */
  started: boolean
  /** The page of caught mails, when they are caught. */
  mailsUrl: string | undefined
  dataDirectory: string
  /** Where data is that could not be kept in there. */
  elsewhere: readonly string[]
  /** Tells other commands where this one can be reached. */
  announce(urls: Record<string, string>): Promise<void>
  /** Stops what was started, in order. May be called twice. */
  stop(): Promise<void>
  /** Ends what was started at once. */
  kill(): void
}

interface LocalService {
  value: string
  dataDirectory?: string
  stop?: () => Promise<void>
  kill?: () => void
  mailsUrl?: string
}

const project = resolve(import.meta.dirname, '../..')
const names = ['SECRET_KEY', 'DATABASE_URL', 'REDIS_URL', 'SMTP_URL'] as const
type Name = (typeof names)[number]

const placeholders: Record<Name, string> = {
  SECRET_KEY: '0'.repeat(64),
  DATABASE_URL: 'postgres://127.0.0.1/later',
  REDIS_URL: 'redis://127.0.0.1',
  SMTP_URL: 'smtp://127.0.0.1',
}

const mailPorts = { smtp: 1025, web: 8025 }
const othersStartMs = 120_000

/** Where local servers keep their data: DATA_DIR, or .data in the project. */
export function dataDirectoryOf(env: NodeJS.ProcessEnv): string {
  return resolve(project, env.DATA_DIR || '.data')
}

/**
 * The settings as they will be once the local servers run. Throws ConfigError for what is set and
 * wrong, so that it is said before anything is started.
 */
export function previewConfig(env: NodeJS.ProcessEnv): Config {
  return loadConfig({ ...placeholders, ...clean(env) })
}

/**
 * Fills in DATABASE_URL, REDIS_URL, SMTP_URL and SECRET_KEY where they are missing: from another
 * command that runs here, else by starting local servers. Throws ConfigError for wrong settings and
 * LocalServerError for servers that cannot be used, with everything stopped again.
 */
export async function withServices(
  environment: NodeJS.ProcessEnv,
  options: ServicesOptions,
): Promise<Services> {
  const dataDirectory = dataDirectoryOf(environment)
  const env: NodeJS.ProcessEnv = {
    FILES_DIR: join(dataDirectory, 'files'),
    AUDIT_DIR: join(dataDirectory, 'audit'),
    ...clean(environment),
  }
  previewConfig(env)
  await refuseBroken(env)
  const missing = names.filter(name => !env[name]?.trim())
  if (missing.length === 0 && !options.exclusive) return shared(env, dataDirectory, undefined)
  if (!options.exclusive) await refuseEmpty(dataDirectory, missing)
  await prepare(dataDirectory)
  for (;;) {
    const claimed = await claim(dataDirectory, options.command)
    if ('own' in claimed)
      return own(env, missing, { ...options, dataDirectory, runtime: claimed.own })
    if (options.exclusive) throw new LocalServerError(alreadyRunning(claimed.other))
    const other = await waitUntilReady(dataDirectory, claimed.other)
    if (other) return shared({ ...clean(other.env), ...clean(env) }, dataDirectory, other)
  }
}

/** A command works on a shop that there is: it makes no empty one to work on. */
async function refuseEmpty(dataDirectory: string, missing: readonly Name[]): Promise<void> {
  if (!missing.includes('DATABASE_URL') || existsSync(join(dataDirectory, 'postgres'))) return
  if ((await readRuntime(dataDirectory)) !== undefined) return
  throw new LocalServerError(
    `There is no shop in ${dataDirectory}: start one with npm start, or set DATA_DIR to the ` +
      'directory of one, or DATABASE_URL to its database',
  )
}

async function prepare(dataDirectory: string): Promise<void> {
  try {
    await makeDirectory(dataDirectory)
    await access(dataDirectory, constants.W_OK)
  } catch (error) {
    throw new LocalServerError(
      `Nothing can be kept in ${dataDirectory} (${whyNotKept(error)}): ` +
        'set DATA_DIR to a directory that this user may write to',
    )
  }
}

async function own(
  env: NodeJS.ProcessEnv,
  missing: readonly Name[],
  options: ServicesOptions & { dataDirectory: string; runtime: Runtime },
): Promise<Services> {
  const { dataDirectory, runtime, log = () => undefined } = options
  const services: LocalService[] = []
  const stop = async () => {
    for (const service of services.toReversed()) await service.stop?.()
    await release(dataDirectory)
  }
  const filled = clean(env)
  try {
    for (const name of missing) {
      const service = await starters[name](dataDirectory, log, env)
      services.push(service)
      filled[name] = service.value
    }
    const mailsUrl = services.find(service => service.mailsUrl)?.mailsUrl
    const announce = (urls: Record<string, string>) =>
      publish(dataDirectory, { ...runtime, ready: true, env: settingsIn(filled), urls })
    await announce(mailsUrl ? { mails: mailsUrl } : {})
    const kill = () => {
      for (const service of services) service.kill?.()
    }
    const elsewhere = services
      .map(service => service.dataDirectory ?? dataDirectory)
      .filter(directory => relative(dataDirectory, directory).startsWith('..'))
    return { env: filled, started: true, mailsUrl, dataDirectory, elsewhere, announce, stop, kill }
  } catch (error) {
    await stop()
    throw error
  }
}

const starters: Record<
  Name,
  (dataDirectory: string, log: Log, env: NodeJS.ProcessEnv) => Promise<LocalService>
> = {
  SECRET_KEY: async dataDirectory => ({ value: await secretKey(dataDirectory) }),
  DATABASE_URL: async (dataDirectory, log) => {
    const directory = join(dataDirectory, 'postgres')
    const server = await startLocalPostgres({ directory, log: said('PostgreSQL', log) })
    const how = server.adopted ? 'found running' : 'started'
    said('PostgreSQL', log)(`${how} (${server.label}, ${shortPath(server.dataDirectory)})`)
    return { ...server, value: server.url }
  },
  REDIS_URL: async (dataDirectory, log, env) => {
    const directory = join(dataDirectory, 'redis')
    const server = await startLocalRedis({ directory, log: said('Redis', log), path: env.PATH })
    const how = server.adopted ? 'found running' : 'started'
    said('Redis', log)(`${how} (${server.label}, ${shortPath(server.dataDirectory)})`)
    return { ...server, value: server.url }
  },
  SMTP_URL: async (dataDirectory, log) => {
    const port = await freePort(mailPorts.smtp)
    const webPort = await freePort(mailPorts.web)
    const catcher = await startMailCatcher({ directory: dataDirectory, port, webPort })
    said('Mails', log)(`caught, none leaves this machine (${catcher.webUrl})`)
    return { value: catcher.smtpUrl, stop: catcher.stop, mailsUrl: catcher.webUrl }
  },
}

// A server that a setting names has to work: no local one is started as a replacement.
async function refuseBroken(env: NodeJS.ProcessEnv): Promise<void> {
  const { DATABASE_URL: database, REDIS_URL: redis } = clean(env)
  const faults = await Promise.all([
    database ? databaseFault(database) : undefined,
    redis ? redisFault(redis) : undefined,
  ])
  const found = faults.filter(fault => fault !== undefined)
  if (found.length > 0) throw new LocalServerError(found.join('\n'))
}

/** Waits while another command starts its servers; undefined when it ended instead. */
async function waitUntilReady(dataDirectory: string, first: Runtime): Promise<Runtime | undefined> {
  const latest: { runtime: Runtime | undefined } = { runtime: first }
  const decided = async () => {
    latest.runtime = await readRuntime(dataDirectory)
    return latest.runtime === undefined || latest.runtime.ready
  }
  if (!(await waitUntil(decided, othersStartMs))) throw new LocalServerError(alreadyRunning(first))
  const { runtime } = latest
  if (runtime === undefined) return undefined
  const faults = await Promise.all([
    databaseFault(runtime.env.DATABASE_URL ?? ''),
    redisFault(runtime.env.REDIS_URL ?? ''),
  ])
  const fault = faults.find(found => found !== undefined)
  if (fault === undefined) return runtime
  throw new LocalServerError(`"${runtime.command}" (pid ${runtime.pid}) runs, but ${fault}`)
}

function shared(
  env: NodeJS.ProcessEnv,
  dataDirectory: string,
  runtime: Runtime | undefined,
): Services {
  const nothing = async () => undefined
  return {
    env,
    started: false,
    mailsUrl: runtime?.urls.mails,
    dataDirectory,
    elsewhere: [],
    announce: nothing,
    stop: nothing,
    kill: () => undefined,
  }
}

/** The error when the data directory is in use. */
export function alreadyRunning({ command, pid, urls }: Runtime): string {
  const where = urls.api ? ` at ${urls.api}` : ''
  const owner = `"${command}" (pid ${pid})`
  return `${owner} is already running here${where}: stop it first, or set DATA_DIR and PORT`
}

async function secretKey(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'secret.key')
  const known = (await readFile(file, 'utf8').catch(absent)).trim()
  if (known !== '') return known
  const made = randomBytes(32).toString('hex')
  await writePrivate(file, made)
  return made
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}

// An empty variable, as a compose file passes it on, is a missing one.
function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
}

/** What others need to know to open the same shop: it is written where only its owner may read. */
function settingsIn(env: NodeJS.ProcessEnv): Record<string, string> {
  const said = settings.map(({ name }): [string, string] => [name, env[name] ?? ''])
  return Object.fromEntries(said.filter(([, value]) => value !== ''))
}

function said(name: string, log: Log): Log {
  return line => log(`${name.padEnd(12)}${line}`)
}

function shortPath(path: string): string {
  const short = relative(project, path)
  return short.startsWith('..') ? path : short
}
