// The servers that the project runs for itself: their data lasts and none is started twice.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LocalServer } from '../../tools/local/localServer.ts'
import { startLocalPostgres } from '../../tools/local/postgres.ts'
import { isRunning } from '../../tools/local/processes.ts'
import { findProgram, startLocalRedis } from '../../tools/local/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { waitFor } from '../support/waitFor.ts'

let directory: string
const servers: LocalServer[] = []

beforeEach(async () => {
  directory = await temporaryDirectory()
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await server.stop()
    await rm(server.dataDirectory, { recursive: true, force: true, maxRetries: 20 })
  }
  await rm(directory, { recursive: true, force: true, maxRetries: 20 })
})

const tracked = async (starting: Promise<LocalServer>): Promise<LocalServer> => {
  const server = await starting
  servers.push(server)
  return server
}
const postgres = (log?: (line: string) => void) =>
  tracked(startLocalPostgres({ directory, durable: false, ...(log && { log }) }))
const redis = () => tracked(startLocalRedis({ directory, path: process.env.PATH }))

const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query({ text: sql, rowMode: 'array' })
  await client.end()
  return rows.flat()
}

const inRedis = async <T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> => {
  const client = new Redis(url)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

/** Starts a server from a process of its own, which is then killed with -9. */
const startAndKillParent = async (kind: 'Postgres' | 'Redis'): Promise<number> => {
  const module = new URL(`../../tools/local/${kind.toLowerCase()}.ts`, import.meta.url).href
  const script = `
    import { startLocal${kind} } from ${JSON.stringify(module)}
    const server = await startLocal${kind}({ directory: ${JSON.stringify(directory)} })
    process.stdout.write(String(server.pid) + '\\n')
    setInterval(() => undefined, 1000)`
  const args = ['--input-type=module-typescript', '-e', script]
  const parent = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const [line] = await once(parent.stdout, 'data')
  await killGroup(parent)
  return Number(line)
}

const killGroup = async (parent: ChildProcess) => {
  const gone = once(parent, 'exit')
  process.kill(-(parent.pid ?? 0), 'SIGKILL')
  await gone
}

describe('a local PostgreSQL', () => {
  it('has an empty UTF-8 database, is durable, and ends when it is stopped', async () => {
    const server = await tracked(startLocalPostgres({ directory }))
    expect(await query(server.url, 'select current_database()')).toEqual(['orderstream'])
    expect(await query(server.url, "select 'É' ilike 'é', lower('ÀÉ')")).toEqual([true, 'àé'])
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      expect(await query(server.url, `show ${setting}`)).toEqual(['on'])
    }
    await server.stop()
    await server.stop()
    expect(isRunning(server.pid)).toBe(false)
  })

  it('keeps data, password and port from one start to the next', async () => {
    const first = await postgres()
    await query(first.url, 'create table kept as select 42 as answer')
    await first.stop()
    const second = await postgres()
    expect(second).toMatchObject({ adopted: false, url: first.url })
    expect(await query(second.url, 'select answer from kept')).toEqual([42])
  })

  it('is adopted when the process that started it was killed with its whole group', async () => {
    const pid = await startAndKillParent('Postgres')
    const server = await postgres()
    expect(server).toMatchObject({ adopted: true, pid })
    expect(await query(server.url, 'select 1')).toEqual([1])
  })

  it('loses nothing when it is killed itself', async () => {
    const first = await tracked(startLocalPostgres({ directory }))
    await query(first.url, 'create table kept as select 42 as answer')
    process.kill(first.pid, 'SIGKILL')
    await waitFor('its end', () => !isRunning(first.pid))
    const second = await postgres()
    expect(second.adopted).toBe(false)
    expect(await query(second.url, 'select answer from kept')).toEqual([42])
  })

  it('starts although its lock file names a stranger by now', async () => {
    const first = await postgres()
    const lockFile = join(first.dataDirectory, 'postmaster.pid')
    const lines = (await readFile(lockFile, 'utf8')).split('\n')
    await first.stop()
    // The stranger has to be of the same user, or PostgreSQL sees through it by itself.
    const { uid, gid } = await stat(first.dataDirectory)
    const stranger = spawn('sleep', ['60'], { uid, gid, cwd: '/' })
    await writeFile(lockFile, [stranger.pid, ...lines.slice(1)].join('\n'))
    expect((await postgres()).adopted).toBe(false)
    expect(isRunning(stranger.pid ?? 0)).toBe(true)
    stranger.kill()
  })

  it('takes another port when its own is taken', async () => {
    const first = await postgres()
    await first.stop()
    const blocker = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
    await once(blocker, 'listening')
    const second = await postgres()
    blocker.close()
    expect(new URL(second.url).port).not.toBe(new URL(first.url).port)
  })

  it('moves a cluster aside whose password is lost, and deletes nothing', async () => {
    const first = await postgres()
    await first.stop()
    await rm(join(directory, 'server.json'))
    const said: string[] = []
    await postgres(line => said.push(line))
    expect(said.join()).toContain('password of an earlier PostgreSQL cluster is gone')
    const clusters = (await readdir(directory)).filter(name => name.startsWith('cluster'))
    expect(clusters).toHaveLength(2)
  })

  it.runIf(process.getuid?.() === 0)(
    'works for root below a directory closed to others',
    async () => {
      const closed = join(directory, 'closed')
      await mkdir(closed)
      await chmod(closed, 0o700)
      const inside = join(closed, 'postgres')
      const first = await tracked(startLocalPostgres({ directory: inside, durable: false }))
      expect(first.dataDirectory).not.toContain(directory)
      await query(first.url, 'create table kept as select 42 as answer')
      await first.stop()
      const second = await tracked(startLocalPostgres({ directory: inside, durable: false }))
      expect(await query(second.url, 'select answer from kept')).toEqual([42])
    },
  )
})

describe('a local Redis', () => {
  it('never evicts, logs each write, asks for a password and listens here only', async () => {
    const server = await redis()
    const settings = ['maxmemory-policy', 'appendonly', 'appendfsync', 'bind']
    const values = await inRedis(server.url, client => client.config('GET', ...settings))
    expect(values).toEqual(expect.arrayContaining(['noeviction', 'yes', 'everysec', '127.0.0.1']))
    expect(new URL(server.url).password).toHaveLength(48)
    expect((await stat(join(directory, 'redis.conf'))).mode & 0o077).toBe(0)
  })

  it('keeps data, password and port from one start to the next', async () => {
    const first = await redis()
    await inRedis(first.url, client => client.set('kept', '42'))
    await first.stop()
    expect(isRunning(first.pid)).toBe(false)
    const second = await redis()
    expect(second).toMatchObject({ adopted: false, url: first.url })
    expect(await inRedis(second.url, client => client.get('kept'))).toBe('42')
  })

  it('is adopted when the process that started it was killed with its whole group', async () => {
    const pid = await startAndKillParent('Redis')
    expect(await redis()).toMatchObject({ adopted: true, pid })
  })

  it('starts although its pid file names a stranger by now', async () => {
    await redis().then(server => server.stop())
    await writeFile(join(directory, 'redis.pid'), String(process.pid))
    expect((await redis()).adopted).toBe(false)
  })
})

describe('a machine without Redis', () => {
  const redisServer = findProgram(['redis-server', 'valkey-server'], process.env.PATH) ?? ''
  // A process that sees nothing but these programs, as on a machine where Redis is not installed.
  const startIn = async (programs: string, install: boolean) => {
    const module = new URL('../../tools/local/redis.ts', import.meta.url).href
    const script = `
      import { startLocalRedis } from ${JSON.stringify(module)}
      const given = ${JSON.stringify({ directory, install, path: programs })}
      const options = { ...given, defaultDirectories: [] }
      try {
        const server = await startLocalRedis({ ...options, log: console.log })
        await server.stop()
        console.log('started')
      } catch (error) { console.log(error.message) }`
    const args = ['--input-type=module-typescript', '-e', script]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    return (await text(child.stdout)).trim()
  }

  it('says in one line what to run when nothing may be installed', async () => {
    const programs = join(directory, 'bin')
    await mkdir(programs)
    await writeFile(join(programs, 'apt-get'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    expect(await startIn(programs, false)).toBe(
      'Redis is needed and not here: run sudo apt-get install -y redis-server, or set REDIS_URL',
    )
  })

  it.runIf(process.getuid?.() === 0)('gets it installed for root, with fresh lists', async () => {
    const programs = join(directory, 'bin')
    const lists = join(directory, 'lists')
    await mkdir(programs)
    // A bare machine has no package lists: the first attempt finds nothing.
    const aptGet = `#!/bin/sh
      case "$1" in
        update) touch ${lists} ;;
        install) test -e ${lists} && test "$DEBIAN_FRONTEND" = noninteractive || exit 100
          ln -s ${redisServer} ${programs}/redis-server ;;
      esac\n`
    await writeFile(join(programs, 'apt-get'), aptGet, { mode: 0o755 })
    expect(await startIn(programs, true)).toBe(
      'Redis is not installed: running apt-get install -y redis-server\nstarted',
    )
  })

  it('finds a server that goes by the name of Valkey', async () => {
    const programs = join(directory, 'bin')
    await mkdir(programs)
    await symlink(redisServer, join(programs, 'valkey-server'))
    expect(await startIn(programs, false)).toBe('started')
  })
})
