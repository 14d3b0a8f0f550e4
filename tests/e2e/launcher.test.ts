// npm start as its user meets it: one command up, one keystroke down, one line when it cannot.

import { exec, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { ConfigError } from '../../src/config/config.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { whyNotKept } from '../../src/kit/makeDirectory.ts'
import { startLocalPostgres } from '../../tools/local/postgres.ts'
import { isRunning } from '../../tools/local/processes.ts'
import { withServices } from '../../tools/local/services.ts'
import { workerThread } from '../../tools/workerThread.ts'
import { type Launcher, processesOf, startLauncher } from '../support/launcher.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { waitFor } from '../support/waitFor.ts'

let madeBefore: string
let directory: string
let port: number
const launchers: Launcher[] = []

beforeAll(async () => {
  madeBefore = await temporaryDirectory()
  await (await startLocalPostgres({ directory: join(madeBefore, 'postgres') })).stop()
})
afterAll(() => rm(madeBefore, { recursive: true, force: true }))

beforeEach(async () => {
  directory = await temporaryDirectory()
  port = await freePort()
})

afterEach(async () => {
  for (const launcher of launchers.splice(0)) {
    launcher.signal('SIGTERM')
    await launcher.ended()
  }
  for (const pid of await serverPids()) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

/** With a tiny app in place of the shop: these tests are about what is around it. */
const start = (settings: Record<string, string> = {}, script = 'tests/support/stubLauncher.ts') => {
  const launcher = startLauncher(script, { DATA_DIR: directory, PORT: `${port}`, ...settings })
  launchers.push(launcher)
  return launcher
}

const ready = async (settings?: Record<string, string>) => {
  const launcher = start(settings)
  await launcher.says(/^Ready: /m)
  return launcher
}

/** On a copy of a cluster that was made once: making one takes seconds. */
const readyAgain = async (settings?: Record<string, string>) => {
  execFileSync('cp', ['-a', join(madeBefore, 'postgres'), directory])
  return ready(settings)
}

const serverPids = async (): Promise<number[]> => {
  const files = ['postgres/cluster/postmaster.pid', 'redis/redis.pid']
  const texts = files.map(file => readFile(join(directory, file), 'utf8').catch(() => ''))
  return (await Promise.all(texts)).map(text => Number.parseInt(text, 10)).filter(Number)
}

const runtime = async (): Promise<{ env: { DATABASE_URL: string } }> =>
  JSON.parse(await readFile(join(directory, 'runtime.json'), 'utf8'))

const query = async (sql: string) => {
  const client = new pg.Client({ connectionString: (await runtime()).env.DATABASE_URL })
  await client.connect()
  const { rows } = await client.query({ text: sql, rowMode: 'array' })
  await client.end()
  return rows.flat()
}

describe('a first start', () => {
  it('says what it does and where things are, and serves', async () => {
    const launcher = await ready()
    for (const line of [
      /^ {2}PostgreSQL {2}started \(embedded 18/m,
      /^ {2}Redis {7}started \(/m,
      /^ {2}Mails {7}caught.*http:\/\/127\.0\.0\.1:\d+/m,
      /\/docs$/m,
      /\/openapi\.json$/m,
      /admin:create/,
      /^Ctrl-C stops everything; the data stays in /m,
    ]) {
      expect(launcher.stdout()).toMatch(line)
    }
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('ok')
    expect(launcher.stderr()).toBe('')
  })

  it('keeps its secrets to its user', async () => {
    await ready()
    for (const file of ['runtime.json', 'secret.key', 'postgres/server.json', 'redis/redis.conf']) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    }
  })
})

describe('Ctrl-C', () => {
  it('stops everything that was started, and the next start finds the data', async () => {
    const first = await readyAgain()
    await query('create table kept as select 42 as answer')
    first.signal('SIGINT')
    expect(await first.ended()).toBe(0)
    expect(processesOf(directory)).toEqual([])
    expect(existsSync(join(directory, 'runtime.json'))).toBe(false)
    await ready()
    expect(await query('select answer from kept')).toEqual([42])
  })

  it('during the start stops what has been started by then', async () => {
    const launcher = start()
    await launcher.says(/PostgreSQL {2}started/)
    launcher.signal('SIGINT')
    expect(await launcher.ended()).toBe(0)
    expect(launcher.stderr()).toBe('')
    expect(processesOf(directory)).toEqual([])
  })

  it('counts once when npm passes it on a second time', async () => {
    const launcher = await readyAgain()
    launcher.signal('SIGINT')
    await launcher.says(/^Stopping$/m)
    launcher.signal('SIGINT')
    expect(await launcher.ended()).toBe(0)
    expect(launcher.stdout()).toMatch(/Stopped\n$/)
  })

  it('pressed again ends at once what does not want to stop', async () => {
    const launcher = await readyAgain({ SHOP_NAME: 'never closes' })
    const pids = await serverPids()
    let ended = false
    launcher.ended().then(() => {
      ended = true
    })
    await waitFor('its end', () => {
      launcher.signal('SIGINT')
      return ended
    })
    expect(await launcher.ended()).toBe(1)
    await waitFor('the end of its servers', () => !pids.some(isRunning))
  })
})

describe('kill -9', () => {
  it('leaves servers that the next start takes over', async () => {
    const first = await readyAgain()
    await query('create table kept as select 42 as answer')
    const before = await serverPids()
    first.signal('SIGKILL')
    await first.ended()
    const second = await ready()
    expect(second.stdout()).toMatch(/PostgreSQL {2}found running/)
    expect(second.stdout()).toMatch(/Redis {7}found running/)
    expect(await serverPids()).toEqual(before)
    expect(await query('select answer from kept')).toEqual([42])
  })

  it('of the launcher and its servers loses nothing either', async () => {
    const first = await readyAgain()
    await query('create table kept as select 42 as answer')
    const pids = await serverPids()
    first.signal('SIGKILL')
    await first.ended()
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await waitFor('their end', () => !pids.some(isRunning))
    await ready()
    expect(await query('select answer from kept')).toEqual([42])
  })
})

describe('another command beside a launcher', () => {
  it('uses its servers and leaves them running', async () => {
    await readyAgain()
    const services = await withServices({ DATA_DIR: directory }, { command: 'a test' })
    expect(services.started).toBe(false)
    expect(services.env).toMatchObject((await runtime()).env)
    await services.stop()
    expect(await query('select 1')).toEqual([1])
  })

  it('starts and stops its own servers when there is no launcher', async () => {
    const launcher = await readyAgain()
    launcher.signal('SIGINT')
    await launcher.ended()
    const services = await withServices(
      { DATA_DIR: directory, PATH: process.env.PATH },
      { command: 'a test' },
    )
    expect(services.started).toBe(true)
    const second = start()
    expect(await second.ended()).toBe(1)
    expect(second.stderr()).toMatch(/^"a test" \(pid \d+\) is already running here[^\n]*\n$/)
    await services.stop()
    expect(processesOf(directory)).toEqual([])
  })

  it('makes no shop of its own where there is none', async () => {
    const empty = join(directory, 'mistyped')
    const asked = withServices({ DATA_DIR: empty }, { command: 'a test' })
    await expect(asked).rejects.toThrow(`There is no shop in ${empty}: start one with npm start`)
    expect(existsSync(empty)).toBe(false)
  })

  it('is printed with what it needs to know in another terminal', async () => {
    const launcher = await readyAgain({ CURRENCY: 'EUR', PORT: `${port}` })
    const [, hint = ''] = await launcher.says(/First admin +(.*)$/m)
    const { PATH = '', HOME = '/' } = process.env
    const answer = await promisify(exec)(`${hint} --generate`, { env: { PATH, HOME } })
    expect(answer.stdout).toContain('admin has been created as an admin')
    expect(await query('select username from shop.accounts')).toEqual(['admin'])
    expect(await query('select currency from shop.identity')).toEqual(['EUR'])
  })

  it('is refused when it is a second launcher', async () => {
    const first = await readyAgain()
    const second = start({ PORT: `${await freePort()}` })
    expect(await second.ended()).toBe(1)
    expect(second.stderr()).toMatch(
      new RegExp(`^"npm start" \\(pid ${first.pid}\\) is already running here[^\\n]*\\n$`),
    )
  })
})

describe('a start that cannot work', () => {
  const wrongPassword = () => {
    const url = new URL(inject('databaseUrl'))
    url.password = 'wrong'
    return url.href
  }

  it.each<[string, () => Record<string, string>, RegExp]>([
    [
      'an invalid setting',
      () => ({ LOG_LEVEL: 'loud' }),
      /^LOG_LEVEL is not valid: expected trace/,
    ],
    ['an unreadable DATABASE_URL', () => ({ DATABASE_URL: 'shop' }), /^DATABASE_URL is not valid/],
    [
      'a DATABASE_URL where nothing listens',
      () => ({ DATABASE_URL: `postgres://shop:hunter2@127.0.0.1:${port}/shop` }),
      /^DATABASE_URL: nothing answers at 127\.0\.0\.1:\d+ \(connection refused\)\n$/,
    ],
    [
      'a DATABASE_URL with a wrong password',
      () => ({ DATABASE_URL: wrongPassword() }),
      /^DATABASE_URL: the server at 127\.0\.0\.1:\d+ refuses the user or password\n$/,
    ],
    [
      'a REDIS_URL where nothing listens',
      () => ({ REDIS_URL: `redis://127.0.0.1:${port}` }),
      /^REDIS_URL: nothing answers at 127\.0\.0\.1:\d+ \(connection refused\)\n$/,
    ],
    [
      'a REDIS_URL without its password',
      () => ({ REDIS_URL: `redis://${new URL(inject('redisUrl')).host}` }),
      /^REDIS_URL: the server at 127\.0\.0\.1:\d+ refuses the password\n$/,
    ],
  ])('because of %s says so in one line', async (_what, settings, line) => {
    const launcher = start(settings())
    expect(await launcher.ended()).toBe(1)
    expect(launcher.stderr()).toMatch(line)
    expect(launcher.stderr().trimEnd()).not.toContain('\n')
    expect(processesOf(directory)).toEqual([])
  })

  it('says in the same line what its workers have found first', async () => {
    await expect(workerThread().start({})).rejects.toBeInstanceOf(ConfigError)
  })

  it('because its port is taken starts nothing at all', async () => {
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    const launcher = start()
    expect(await launcher.ended()).toBe(1)
    other.close()
    expect(launcher.stderr()).toBe(
      `Port ${port} on 127.0.0.1 is in use: stop what uses it, or set PORT to another one\n`,
    )
    expect(existsSync(join(directory, 'postgres'))).toBe(false)
  })
})

describe('the shop itself', () => {
  it('is up after one command, healthy, and down when npm is told to end', async () => {
    const launcher = start({}, 'npm start')
    await launcher.says(/^Ready: /m)
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    // Npm alone, as a supervisor without a terminal does it: nobody tells the others.
    process.kill(launcher.pid, 'SIGTERM')
    await launcher.ended()
    await waitFor(
      'the end of all it has started',
      () => processesOf(directory).length === 0,
      30_000,
    )
  })
})

describe('production', () => {
  it.each([
    ['src/main/api.ts', { DATABASE_URL: 'postgres://127.0.0.1:1/none' }],
    ['src/main/worker.ts', { DATABASE_URL: 'postgres://127.0.0.1:1/none' }],
    ['tools/start.ts', { NODE_ENV: 'production' }],
  ])('is not served by %s with pretended payments that nobody asked for', async (script, more) => {
    const servers = { REDIS_URL: 'redis://127.0.0.1:1', SMTP_URL: 'smtp://127.0.0.1:1' }
    const needed = script === 'tools/start.ts' ? {} : { ...servers, SECRET_KEY: '0'.repeat(64) }
    const launcher = start({ ...needed, ...more }, script)
    expect(await launcher.ended()).toBe(1)
    expect(launcher.stderr()).toMatch(/^PAYMENT_PROVIDER is missing: [^\n]*simulated[^\n]*\n$/)
  })
})

describe('a process of production', () => {
  const servers = {
    DATABASE_URL: 'postgres://shop:hunter2@127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    SMTP_URL: 'smtp://127.0.0.1:1',
    SECRET_KEY: '0'.repeat(64),
    PAYMENT_PROVIDER: 'simulated',
  }
  const api = 'src/main/api.ts'
  const taken = (setting: string) =>
    `Port ${port} on 127.0.0.1 is in use: stop what uses it, or set ${setting} to another one`

  it('that cannot start says why in one line, and which setting it is', async () => {
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    const worker = 'src/main/worker.ts'
    const cases: [script: string, settings: Record<string, string>, line: string][] = [
      [api, {}, taken('PORT')],
      [worker, { METRICS_PORT: `${port}` }, taken('METRICS_PORT')],
      [
        api,
        { HOST: 'nowhere.invalid' },
        'HOST=nowhere.invalid is not known: set it to an address of this machine, ' +
          'such as 127.0.0.1',
      ],
      [
        api,
        { HOST: '192.0.2.1' },
        'HOST=192.0.2.1 is no address of this machine: set it to one, such as 127.0.0.1',
      ],
      [worker, {}, 'DATABASE_URL: nothing answers at 127.0.0.1:1 (connection refused)'],
    ]
    const said = await Promise.all(
      cases.map(async ([script, settings]) => {
        const launcher = startLauncher(script, { ...servers, PORT: `${port}`, ...settings })
        return [await launcher.ended(), launcher.stderr(), launcher.stdout()]
      }),
    )
    other.close()
    expect(said).toEqual(cases.map(([, , line]) => [1, `${line}\n`, '']))
  })
})

describe('a directory that cannot be used', () => {
  it('is named with its setting and the reason', async () => {
    const launcher = start({ DATA_DIR: '/proc/shop' }, 'tools/start.ts')
    expect(await launcher.ended()).toBe(1)
    expect(launcher.stderr()).toBe(
      'Nothing can be kept in /proc/shop (nothing can be made there): ' +
        'set DATA_DIR to a directory that this user may write to\n',
    )
  })

  it('is said to be read-only where it is', () => {
    const error = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
    expect(whyNotKept(error)).toBe('the file system is read-only')
  })
})

describe('every command', () => {
  it('refuses what it does not know in one line', async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8'))
    const own = Object.entries(scripts).flatMap(([name, text]) => {
      const [, script] = /^exec node (?:\S+ )*(\S+\.ts)$/.exec(String(text)) ?? []
      // The one that watches never ends.
      return script === undefined || name === 'dev' ? [] : [{ name, script }]
    })
    expect(own.length).toBeGreaterThan(12)
    const answers = await Promise.all(
      own.map(async ({ name, script }) => {
        const launcher = startLauncher(script, { DATA_DIR: directory }, ['--nonsense'])
        const code = (await launcher.ended()) ?? 0
        const [line = '', ...more] = launcher.stderr().trimEnd().split('\n')
        return { name, code: code > 0, isSaid: line !== '', more, stdout: launcher.stdout() }
      }),
    )
    const right = own.map(({ name }) => ({ name, code: true, isSaid: true, more: [], stdout: '' }))
    expect(answers).toEqual(right)
  })
})
