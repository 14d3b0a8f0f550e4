// Row 16. Path: `npm start` until the shop says that it is ready, with the data of an earlier
// start. Bar: within 6 s. Beside it the size of a production install: at most 220 packages, 300 MB.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../src/infra/system/tcpPorts.ts'
import type { Bench } from './benchmark.ts'
import { surroundings } from './child.ts'
import { interleave, judge, measuredAs, type Report } from './harness.ts'

const path = 'npm start to ready, second start'
const first = 'npm start to ready, first start'
const packages = 'packages of a production install'
const disk = 'disk of a production install'
const project = join(import.meta.dirname, '..')
const startMs = 120_000

export async function start({ database, quick }: Bench): Promise<Report> {
  const directory = join(database.directory, 'start')
  const firstMs = await startOnce(directory)
  const rounds = quick ? { warmups: 0, rounds: 3 } : { warmups: 1, rounds: 7 }
  const run = () => startOnce(directory)
  const measured = await interleave([{ name: path, unit: 'ms', run }], rounds)
  const install = await productionInstall()
  const all = [
    ...measured,
    measuredAs(packages, 'packages', [install.packages]),
    measuredAs(disk, 'MB', [install.megabytes]),
  ]
  return {
    name: 'start',
    measured: all,
    verdicts: [
      judge(all, { row: 16, path, of: path, bar: { atMost: 6_000 } }),
      judge(all, { row: 16, path: packages, of: packages, bar: { atMost: 220 } }),
      judge(all, { row: 16, path: disk, of: disk, bar: { atMost: 300 } }),
    ],
    notes: [`${first}: ${Math.round(firstMs)} ms, with a database to make`],
  }
}

/** Starts everything, stops it as Ctrl-C does, and gives how long it took to be ready. */
async function startOnce(directory: string): Promise<number> {
  const settings = { DATA_DIR: directory, PORT: `${await freePort()}` }
  const startedAt = performance.now()
  const child = spawn('npm', ['start'], {
    cwd: project,
    env: { ...surroundings(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a signal reaches all of it and nothing else.
    detached: true,
  })
  const { pid = 0 } = child
  const ended = once(child, 'exit')
  let said = ''
  child.stderr.on('data', data => {
    said += data
  })
  const ready = new Promise<number>((resolve, reject) => {
    child.stdout.on('data', data => {
      said += data
      if (/^Ready: /m.test(said)) resolve(performance.now() - startedAt)
    })
    child.on('exit', () => reject(new Error(`npm start has ended: ${said}`)))
    setTimeout(reject, startMs, new Error(`npm start is not ready: ${said}`)).unref()
  })
  try {
    return await ready
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGINT')
    await ended
  }
}

/** What is in no production install (tools/pruneInstall.js). */
const pruned = ['*.d.ts', '*.d.mts', '*.d.cts', '*.map'].flatMap(name => ['!', '-name', name])
const compilers = /^node_modules\/@?typescript(\/|$)/

/** What `npm ci --omit=dev` leaves of the lock file, going by this checkout. */
async function productionInstall(): Promise<{ packages: number; megabytes: number }> {
  const lock: { packages: Record<string, { dev?: boolean }> } = JSON.parse(
    await readFile(join(project, 'package-lock.json'), 'utf8'),
  )
  const installed = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && !compilers.test(path))
    .map(([path]) => path)
    .filter(path => existsSync(join(project, path)))
  // Packages within others are found with those.
  const outer = installed.filter(path => path.lastIndexOf('node_modules/') === 0)
  const files = ['-type', 'f', ...pruned, '!', '-path', '*/include/node/*', '-printf', '%b\\n']
  const { stdout } = await promisify(execFile)('find', [...outer, ...files], {
    cwd: project,
    maxBuffer: 64 * 1024 * 1024,
  })
  const blocks = stdout.split('\n').reduce((sum, line) => sum + Number(line), 0)
  return { packages: installed.length, megabytes: blocks / 2_048 }
}
