// npm run simulate: looks for runs of the simulated shop that break a promise.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { mutantEnvironment } from '../mutants/active.ts'
import { mutantNamed } from '../mutants/mutants.ts'
import { faults } from './faults.ts'
import type { Failure, Summary } from './simulate.ts'

const usage = `Usage: npm run simulate -- [--seeds N] [--from S] [--faults a,b] [--mutant NAME]

Runs the real commands, repositories, order process, payments, imports and read models of several
processes in one, in virtual time, over a simulated database and payment provider, while faults
strike; then an auditor looks whether every promise was kept. A seed is a run, and always the same.
What breaks a promise is shrunk to the fewest commands and faults and printed as a test.

  --seeds N        so many runs (default 1,000); 0 goes on until it is stopped
  --from S         begins with this seed (default 1)
  --minutes M      ends after so many minutes
  --faults a,b     only these faults strike; 'none' for none at all
  --mutant NAME    takes a guard of tests/mutants out of the sources first: that has to be found
  --failures N     ends after so many seeds that break a promise (default 1)
  --saved          only the seeds that once failed (tests/simulation/seeds.json)
  --no-shrink      does not shrink what breaks a promise
  --shrink S       shrinks for so many seconds at most (default 60)
  --traces         prints a number for each run that is the same whenever the run is
  --list           lists the faults

Exit codes: 0 every promise was kept, 1 one was broken, 2 the arguments were not understood.`

const options = {
  seeds: { type: 'string', default: '1000' },
  from: { type: 'string', default: '1' },
  minutes: { type: 'string' },
  failures: { type: 'string', default: '1' },
  faults: { type: 'string' },
  mutant: { type: 'string' },
  saved: { type: 'boolean', default: false },
  shrink: { type: 'string' },
  'no-shrink': { type: 'boolean', default: false },
  traces: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function refuse(why: string): never {
  console.error(`${why} (--help shows how)`)
  process.exit(2)
}

function given() {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function whole(name: string, text: string): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(`--${name} has to be a whole number, and not ${text}`)
}

function wantedFaults(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const names = text === 'none' ? [] : text.split(',').map(name => name.trim())
  const unknown = names.filter(name => !faults.some(fault => fault.name === name))
  return unknown.length > 0 ? refuse(`there is no fault ${unknown.join(', ')}: see --list`) : names
}

/** The seeds that once broke a promise. */
function savedSeeds(): number[] {
  return JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8'))
}

const values = given()
if (values.help) console.log(usage)
else if (values.list) for (const { name, what } of faults) console.log(`${name.padEnd(22)} ${what}`)
else if (values.mutant !== undefined && process.env.MUTANT !== values.mutant)
  withMutant(values.mutant)
else await look()

/** The same in a process in which the guard is missing from the start. */
function withMutant(name: string): void {
  try {
    mutantNamed(name)
  } catch {
    refuse(`there is no mutant ${name}`)
  }
  const env = { ...process.env, ...mutantEnvironment(name) }
  const args = [import.meta.filename, ...process.argv.slice(2)]
  const { status } = spawnSync(process.execPath, args, { env, stdio: 'inherit' })
  process.exitCode = status ?? 1
}

async function look(): Promise<void> {
  // Only now: the shop takes a second to load.
  const { seedsFrom, simulate } = await import('./simulate.ts')
  const count = whole('seeds', values.seeds) || Number.MAX_SAFE_INTEGER / 2
  const only = wantedFaults(values.faults)
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
  const summary = await simulate({
    seeds: values.saved ? savedSeeds() : seedsFrom(whole('from', values.from), count),
    failuresMax: Math.max(1, whole('failures', values.failures)),
    secondsMax: minutes === undefined ? undefined : minutes * 60,
    faults: only,
    onProgress: show(count),
    onRun: (seed, { trace }) => values.traces && console.log(`${seed} ${trace.toString(16)}`),
  })
  if (process.stderr.isTTY) process.stderr.write('\n')
  if (!values.traces) console.log(told(summary))
  for (const failure of summary.failures) await tell(failure, only)
  if (summary.failures.length > 0) process.exitCode = 1
}

/** A line on a terminal that is written anew; elsewhere a line every thousand runs. */
function show(count: number) {
  return (summary: Summary) => {
    const { runs } = summary
    const of = values.saved || count > 1e12 ? '' : ` of ${count}`
    const { schedules, failures } = summary
    const line = `${runs}${of} runs, ${schedules} different, ${failures.length} failed`
    if (process.stderr.isTTY) process.stderr.write(`\r${line}`)
    else if (runs % 1_000 === 0) console.error(line)
  }
}

function told({
  runs,
  schedules,
  events,
  steps,
  strikes,
  virtualHours,
  seconds,
  failures,
}: Summary) {
  const pace = Math.round((runs * 60) / seconds)
  return (
    `${runs} runs, ${schedules} different schedules: ${events} events, ${steps} wake-ups, ` +
    `${strikes} faults, ${Math.round(virtualHours)} virtual hours in ${Math.round(seconds)} s ` +
    `(${pace} runs a minute). ${failures.length} broke a promise.`
  )
}

async function tell({ seed, findings }: Failure, only: string[] | undefined): Promise<void> {
  console.log(`\nSeed ${seed}:`)
  for (const { promise, detail: says } of findings.slice(0, 5)) console.log(`  ${promise}: ${says}`)
  if (findings.length > 5) console.log(`  … and ${findings.length - 5} more`)
  if (values['no-shrink']) return
  const { asTest, shrink } = await import('./shrink.ts')
  const { planOf } = await import('./workload/plan.ts')
  const seconds = values.shrink === undefined ? undefined : whole('shrink', values.shrink)
  const shrunk = await shrink(planOf(seed), { faults: only, seconds })
  if (shrunk === undefined) return
  const { plan } = shrunk
  console.log(`\nShrunk to ${plan.requests.length} commands and ${shrunk.only.length} faults:\n`)
  console.log(asTest(shrunk))
}
