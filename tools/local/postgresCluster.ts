// Where a PostgreSQL cluster lives, who owns it, its password and port; makes it when missing.
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Type, { type Static } from 'typebox'
import { makeDirectory } from '../../src/kit/makeDirectory.ts'
import { LocalServerError, type Log } from './localServer.ts'
import type { PostgresBinaries } from './postgresBinaries.ts'
import { isReachable, pathMark, postgresBinaries, sharedDirectory } from './postgresBinaries.ts'
import { randomPassword, readPrivate, writePrivate } from './privateFiles.ts'
import { type Account, commandLine, isRunning, run, stopProcess } from './processes.ts'

export const superuser = 'orderstream'

export interface Cluster {
  /** PGDATA. */
  path: string
  logFile: string
  binaries: PostgresBinaries
  /** The account that PostgreSQL runs as, where it cannot be this one. */
  account: Account | undefined
  password: string
  /** The port it had last time, 0 when there was none. */
  port: number
  rememberPort(port: number): Promise<void>
}

const State = Type.Object({
  password: Type.String(),
  port: Type.Integer(),
  /** Where the cluster is when it could not be kept here, and the directory that it belongs to. */
  elsewhere: Type.Optional(Type.Object({ path: Type.String(), owner: Type.String() })),
})
type State = Static<typeof State>

/**
 * Opens the cluster that belongs to the directory, making it first when there is none. A cluster
 * whose password is lost (someone deleted the directory of a cluster kept elsewhere) is moved
 * aside, never deleted.
 */
export async function openCluster(
  directory: string,
  { log, durable }: { log: Log; durable: boolean },
): Promise<Cluster> {
  await makeDirectory(directory)
  const home = await realpath(directory)
  const stateFile = join(home, 'server.json')
  const known = await readState(stateFile)
  const { path, account } = await place(home, known)
  const binaries = await postgresBinaries(account, log)
  const state = known ?? { password: randomPassword(), port: 0 }
  const remember = (port: number) =>
    writePrivate(stateFile, {
      ...state,
      port,
      ...(dirname(path) === home ? {} : { elsewhere: { path, owner: home } }),
    })
  if (known === undefined && existsSync(path)) await setAside(path, log)
  if (!existsSync(path)) {
    await remember(state.port)
    log('creating a PostgreSQL cluster')
    await initialise({ path, binaries, account, password: state.password }, durable)
  }
  const logFile = join(home, 'server.log')
  return { ...state, path, logFile, binaries, account, rememberPort: remember }
}

/** The pid and port that the server of a cluster wrote down; it may be gone since. */
export async function postmaster(path: string): Promise<{ pid: number; port: number } | undefined> {
  const text = await readFile(join(path, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid = '', , , port = ''] = text.split('\n')
  return Number(pid) > 0 ? { pid: Number(pid), port: Number(port) } : undefined
}

/** Whether that process is the server of this cluster, and not a later process with its pid. */
export function serves(pid: number, path: string): boolean {
  return isRunning(pid) && commandLine(pid).includes(` ${path} `)
}

async function readState(stateFile: string): Promise<State | undefined> {
  return readPrivate(stateFile, State).catch(() => {
    throw new LocalServerError(
      `${stateFile} belongs to another user: run as that user, or set DATA_DIR`,
    )
  })
}

async function place(
  home: string,
  state: State | undefined,
): Promise<{ path: string; account: Account | undefined }> {
  const here = join(home, 'cluster')
  if (process.getuid?.() !== 0) return { path: here, account: undefined }
  const path = existsSync(here) ? here : await placeForRoot(home, state)
  const account = existsSync(path) ? await ownerOf(path) : await unprivilegedAccount()
  if (existsSync(path) && !isReachable(dirname(path), account)) {
    const remedy = 'allow it with chmod o+x on the directories above'
    throw new LocalServerError(`User ${account.uid}, who owns ${path}, cannot reach it: ${remedy}`)
  }
  return { path, account }
}

async function placeForRoot(home: string, state: State | undefined): Promise<string> {
  const kept = state?.elsewhere
  // The directory of this cluster was renamed: its data moves with it. A copy starts afresh.
  const moved = kept !== undefined && (kept.owner === home || !existsSync(kept.owner))
  if (moved && existsSync(kept.path)) return kept.path
  if (isReachable(home, await unprivilegedAccount())) return join(home, 'cluster')
  return join(await sharedDirectory('clusters'), pathMark(home))
}

async function ownerOf(path: string): Promise<Account> {
  const { uid, gid } = await stat(path)
  return uid === 0 ? unprivilegedAccount() : { uid, gid }
}

async function unprivilegedAccount(): Promise<Account> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(line => line.startsWith(`${name}:`))?.split(':') ?? []
    if (Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new LocalServerError(
    'PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: ' +
      'start as another user, or set DATABASE_URL',
  )
}

async function setAside(path: string, log: Log): Promise<void> {
  const running = await postmaster(path)
  if (running && serves(running.pid, path)) {
    await stopProcess(running.pid, [{ signal: 'SIGINT', waitMs: 60_000 }])
  }
  const aside = `${path}.${new Date().toISOString().replaceAll(':', '')}`
  await rename(path, aside)
  log(`the password of an earlier PostgreSQL cluster is gone: its data is now in ${aside}`)
}

async function initialise(
  cluster: Pick<Cluster, 'path' | 'binaries' | 'account' | 'password'>,
  durable: boolean,
): Promise<void> {
  const { path, binaries, account, password } = cluster
  // A cluster that was interrupted while it was made is never mistaken for a whole one.
  const unfinished = `${path}.new`
  const passwordFile = `${path}.password`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account) {
    await chown(unfinished, account.uid, account.gid)
    await chown(passwordFile, account.uid, account.gid)
  }
  await chmod(unfinished, 0o700)
  const { ok, output } = run(binaries.initdb, initdbArguments(unfinished, passwordFile, durable), {
    account,
  })
  await rm(passwordFile, { force: true })
  if (!ok) throw new LocalServerError(`PostgreSQL could not be set up: ${lastLine(output)}`)
  await rename(unfinished, path)
}

function initdbArguments(path: string, passwordFile: string, durable: boolean): string[] {
  // The locale that PostgreSQL brings along is the same on every machine.
  const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C'
  return [
    `--pgdata=${path}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    `--locale=${locale}`,
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--set=timezone=UTC',
    '--set=log_timezone=UTC',
    // A commit that needs a new segment waits until it is full of zeros: 60 ms for the usual 16 MB.
    '--wal-segsize=1',
    ...(durable ? [] : ['--no-sync']),
  ]
}

/** The last line of a program's output that says what went wrong. */
export function lastLine(output: string): string {
  const lines = output.split('\n').filter(line => line.trim() !== '')
  const telling = lines.filter(line => /error|fatal|could not|cannot|invalid/i.test(line))
  return (telling.at(-1) ?? lines.at(-1) ?? 'it said nothing').trim()
}
