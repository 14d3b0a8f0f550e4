// Rows 10, 11 and 15. Path: `npm run projections -- rebuild` on 1,000,000 events (50,000 in a
// short look), less what the command takes to start. Row 10: the orders alone, at least 50 % of the
// rate at which Node and pg read the same log, parsed. Row 11: all projections together, within 2
// times the slowest alone. Row 15: the process has at most 450 MB, and
// `npm run audit` on the same log at most 256 MB.
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../src/config/config.ts'
import { openServices } from '../src/main/openServices.ts'
import { projections } from '../src/projections/index.ts'
import { settingsOn } from './app.ts'
import type { Bench } from './benchmark.ts'
import { startScript } from './child.ts'
import { closing } from './closing.ts'
import type { BenchDatabase } from './database.ts'
import { interleave, judge, measuredAs, type Report, roundsFor } from './harness.ts'
import { writeHistory } from './history.ts'
import { readRaw } from './read.ts'
import { peakMb } from './residentMemory.ts'

const limit = 'Node and pg, pages of 1,000, parsed'
const orders = 'rebuild of the orders'
const together = 'rebuild of all projections together'
const memory = 'memory of a rebuild, at most'
const auditMemory = 'memory of an audit, at most'
/** As package.json has them. */
const auditFlags = '--max-old-space-size=160 --max-semi-space-size=16'

export async function rebuild({ database, quick }: Bench): Promise<Report> {
  const total = quick ? 50_000 : 1_000_000
  const { clock } = database
  clock.watchAlone('Node', process.pid)
  await closing(async closers => {
    const back = await openServices(loadConfig(settingsOn(database)))
    closers.push(back.close)
    await writeHistory(back, { pool: database.pool, events: total })
  })
  const command = commandOn(database)
  const rateOf = async (name: string) => total / (await command.rebuild(name))
  const candidates = [
    { name: limit, unit: 'events/s', run: () => readRate(database, total) },
    { name: orders, unit: 'events/s', run: () => rateOf('orders') },
  ]
  // The first rebuild fills tables that were empty: not what is measured.
  const first = await interleave(candidates, roundsFor(quick), clock)
  const pair = quick ? undefined : await allAgainstSlowest(command)
  const measured = [
    ...first,
    ...(pair?.measured ?? []),
    measuredAs(memory, 'MB', [command.peakMb()]),
    measuredAs(auditMemory, 'MB', [await auditPeakMb(database)]),
  ]
  return {
    name: 'rebuild',
    measured,
    verdicts: [
      judge(measured, { row: 10, path: orders, of: orders, to: limit, bar: { atLeast: 0.5 } }),
      ...(pair?.verdicts ?? []),
      judge(measured, { row: 15, path: memory, of: memory, bar: { atMost: 450 } }),
      judge(measured, { row: 15, path: auditMemory, of: auditMemory, bar: { atMost: 256 } }),
    ],
    notes: [
      `a log of ${total.toLocaleString('en-GB')} events of a shop, in memory`,
      ...(quick ? ['row 11 takes minutes: it is left out of a short look'] : []),
    ],
  }
}

type RebuildCommand = ReturnType<typeof commandOn>

async function allAgainstSlowest(command: RebuildCommand) {
  await command.rebuild('all')
  const slowest = await slowestOf(command.rebuild)
  const alone = `rebuild of ${slowest} alone, the slowest`
  const candidates = [
    { name: alone, unit: 's', run: () => command.rebuild(slowest) },
    { name: together, unit: 's', run: () => command.rebuild('all') },
  ]
  const measured = await interleave(candidates, { warmups: 0, rounds: 7 })
  const asked = { row: 11, path: together, of: together, to: alone, bar: { atMost: 2 } }
  return { measured, verdicts: [judge(measured, asked)] }
}

async function slowestOf(rebuildOne: (name: string) => Promise<number>): Promise<string> {
  let slowest = { name: '', seconds: 0 }
  for (const { name } of projections) {
    const seconds = await rebuildOne(name)
    if (seconds > slowest.seconds) slowest = { name, seconds }
  }
  return slowest.name
}

async function readRate({ pool }: BenchDatabase, total: number): Promise<number> {
  const startedAt = performance.now()
  const seen = await readRaw(pool, total, 1_000)
  if (seen !== total) throw new Error(`${seen} of ${total} events came`)
  return total / ((performance.now() - startedAt) / 1_000)
}

/** The most memory of an audit; what it finds is not looked at. */
async function auditPeakMb(database: BenchDatabase): Promise<number> {
  const settings = { ...settingsOn(database), NODE_OPTIONS: auditFlags }
  const child = startScript('tools/audit.ts', settings)
  let most = 0
  while (!child.hasEnded()) {
    most = Math.max(most, await peakMb(child.pid).catch(() => 0))
    await sleep(20)
  }
  if (child.exitCode() === 2) throw new Error(`the audit failed: ${child.said()}`)
  return most
}

/** The command as an operator runs it; what it takes to start is measured once. */
export function commandOn(database: BenchDatabase) {
  let most = 0
  let startSeconds: number | undefined
  const run = async (wanted: readonly string[]) => {
    const startedAt = performance.now()
    const child = startScript('tools/projections.ts', settingsOn(database), wanted)
    while (!child.hasEnded()) {
      most = Math.max(most, await peakMb(child.pid).catch(() => 0))
      await sleep(20)
    }
    const seconds = (performance.now() - startedAt) / 1_000
    if (child.exitCode() !== 0) throw new Error(`${wanted.join(' ')} failed: ${child.said()}`)
    return seconds
  }
  return {
    async rebuild(name: string) {
      startSeconds ??= await run(['status'])
      return Math.max(0.001, (await run(['rebuild', name])) - startSeconds)
    },
    peakMb: () => most,
  }
}
