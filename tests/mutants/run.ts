// npm run test:mutants: takes guards and features out, one at a time, and says which test notices.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { startTestServers } from '../support/servers.ts'
import { outOfDate } from './check.ts'
import { everyGuard } from './lists/index.ts'
import type { TestedMutant } from './mutant.ts'
import { type On, tryMutant, type Verdict } from './tryMutant.ts'

const usage = `Usage: npm run test:mutants                    all ${everyGuard.length} of them
       npm run test:mutants -- --only NAME    those whose name, file or test contains NAME

  --only NAME  may be given more than once
  --quick      leaves out those whose test takes a browser, or most of a minute
  --jobs N     as many at a time (default: half the cores, ${defaultJobs()} here)
  --list       names, promises and test files, without running anything
  -h, --help   shows this

A mutant is the program with one guard or feature taken out, in memory or in a temporary copy of
the project: no file of the project is changed.
A test of its test file has to fail. Each run has servers of its own.

Exit codes: 0 each mutant was noticed, 1 one survived or an entry is out of date, 2 wrong usage.`

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 2
})

async function main(): Promise<number> {
  const { values } = readArguments()
  if (values.help) return say(usage, 0)
  const chosen = choose(values.only ?? []).filter(({ slow }) => !(values.quick && slow))
  if (values.list) return say(chosen.map(described).join('\n'), 0)
  const stale = await outOfDate(chosen)
  for (const line of stale) console.error(line)
  if (stale.length > 0) return 1
  const verdicts = await tryAll(chosen, Number(values.jobs ?? defaultJobs()))
  console.log(`\n${resultsOf(verdicts)}`)
  return verdicts.every(({ isNoticed }) => isNoticed) ? 0 : 1
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      jobs: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.jobs !== undefined && !/^[1-9]\d?$/.test(values.jobs)) {
    throw new Error(`--jobs takes a number from 1 to 99\n\n${usage}`)
  }
  return { values }
}

function choose(wanted: readonly string[]): TestedMutant[] {
  const has = (one: TestedMutant, text: string) =>
    [one.name, one.file, one.test].some(field => field.includes(text))
  const unknown = wanted.filter(text => !everyGuard.some(one => has(one, text)))
  if (unknown.length > 0) throw new Error(`no mutant is called ${unknown.join(', ')} (--list)`)
  if (wanted.length === 0) return [...everyGuard]
  return everyGuard.filter(one => wanted.some(text => has(one, text)))
}

function described({ name, promise, test }: TestedMutant): string {
  return `${name}: ${promise} (${test})`
}

/** Some at a time, each with servers that it keeps for the next. */
async function tryAll(chosen: readonly TestedMutant[], jobs: number): Promise<Verdict[]> {
  const queue = [...chosen.entries()]
  const verdicts: Verdict[] = []
  const signal = whenStopped()
  const work = async (on: On) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, mutant] = next
      const verdict = await tryMutant(mutant, on)
      if (signal.aborted) return
      verdicts[place] = verdict
      const done = verdicts.filter(Boolean).length
      const outcome = verdict.isNoticed ? 'noticed' : verdict.says.toUpperCase()
      const seconds = `${verdict.seconds.toFixed(1)} s`
      console.log(`[${done}/${chosen.length}] ${mutant.name}: ${outcome} (${seconds})`)
    }
  }
  await Promise.all(
    Array.from({ length: Math.min(jobs, chosen.length) }, async () => {
      const servers = await startTestServers({ PATH: process.env.PATH })
      const on: On = { servers, signal }
      await work(on).finally(() => Promise.all([servers.stop(), on.copy?.remove()]))
    }),
  )
  if (signal.aborted) throw new Error(`stopped after ${verdicts.filter(Boolean).length} mutants`)
  return verdicts
}

/** So that neither tests nor servers are left behind. */
function whenStopped(): AbortSignal {
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
  return stopping.signal
}

function resultsOf(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ mutant }) => mutant.name.length))
  const lines = verdicts.map(({ mutant, says, seconds }) => {
    return `${mutant.name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s  ${says}`
  })
  const left = verdicts.filter(({ isNoticed }) => !isNoticed)
  const broken = left.map(({ mutant, says }) => `${mutant.name}: ${mutant.promise}: ${says}`)
  const sum = `${verdicts.length - left.length} of ${verdicts.length} mutants noticed`
  return [...lines, '', sum, ...broken].join('\n')
}

function defaultJobs(): number {
  return Math.max(1, Math.floor(availableParallelism() / 2))
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}
