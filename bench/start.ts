// Row 16. Path: `npm start` until the shop says that it is ready, with the data of an earlier
// start. Bar: within 6 s.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort } from '../src/infra/system/tcpPorts.ts'
import type { Bench } from './benchmark.ts'
import { surroundings } from './child.ts'
import { interleave, judge, type Report } from './harness.ts'

const path = 'npm start to ready, second start'
const first = 'npm start to ready, first start'
const startMs = 120_000

export async function start({ database, quick }: Bench): Promise<Report> {
  const directory = join(database.directory, 'start')
  const firstMs = await startOnce(directory)
  const rounds = quick ? { warmups: 0, rounds: 3 } : { warmups: 1, rounds: 7 }
  const run = () => startOnce(directory)
  const measured = await interleave([{ name: path, unit: 'ms', run }], rounds)
  return {
    name: 'start',
    measured,
    verdicts: [judge(measured, { row: 16, path, of: path, bar: { atMost: 6_000 } })],
    notes: [`${first}: ${Math.round(firstMs)} ms, with a database to make`],
  }
}

/** Starts everything, stops it as Ctrl-C does, and gives how long it took to be ready. */
async function startOnce(directory: string): Promise<number> {
  const settings = { DATA_DIR: directory, PORT: `${await freePort()}` }
  const startedAt = performance.now()
  const child = spawn('npm', ['start'], {
    cwd: join(import.meta.dirname, '..'),
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
