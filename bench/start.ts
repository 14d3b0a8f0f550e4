// Row 16. Path: `npm start` until the shop says that it is ready, with the data of an earlier
// start. Bar: within 6 s. Beside it the size of a production install: at most 220 packages, 300 MB.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
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

/** What `npm ci --omit=dev` installs of the lock file, as it stands in this checkout. */
async function productionInstall(): Promise<{ packages: number; megabytes: number }> {
  const lock: { packages: Record<string, { dev?: boolean }> } = JSON.parse(
    await readFile(join(project, 'package-lock.json'), 'utf8'),
  )
  const paths = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => join(project, path))
  const found = await Promise.all(
    paths.map(path =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  )
  const installed = found.flat()
  // Packages within others are counted once.
  const { stdout } = await promisify(execFile)('du', ['-sk', ...installed])
  const kilobytes = stdout
    .split('\n')
    .reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0)
  return { packages: installed.length, megabytes: kilobytes / 1_024 }
}
