// Shrinks a run that breaks a promise: leaves out commands, and faults that have struck, as long as
// the same promise is broken.
import { type RunOptions, run } from './run.ts'
import { realNow } from './virtualTime.ts'
import type { Plan, Request } from './workload/plan.ts'

export interface Shrunk {
  plan: Plan
  /** The strikes that are left. */
  only: readonly string[]
  /** The faults that the run was given, where not all of them: without them it is another run. */
  faults: readonly string[] | undefined
  /** What is broken in the end. */
  says: string
  promise: string
}

/** More would take longer than to look at what is left. */
const runsMax = 250
const secondsMax = 60

/** The shortest run that was found to break the same promise; undefined where none is broken. */
export async function shrink(
  plan: Plan,
  options: RunOptions & { seconds?: number | undefined } = {},
): Promise<Shrunk | undefined> {
  const end = realNow() + (options.seconds ?? secondsMax) * 1_000
  const first = await run(plan, options)
  const promise = first.findings[0]?.promise
  const { faults } = options
  if (promise === undefined) return undefined
  let runs = 0
  const fails = async (requests: readonly Request[], only: readonly string[]) => {
    runs += 1
    if (runs > runsMax || realNow() > end) return false
    const { findings } = await run({ ...plan, requests }, { ...options, only: new Set(only) })
    return findings.some(each => each.promise === promise)
  }
  // Mostly it takes no fault at all, or few of them; each run without is quick.
  let only: readonly string[] = (await fails(plan.requests, [])) ? [] : first.struck
  let requests = await fewer(plan.requests, left => fails(left, only))
  const struck = only
  only = await fewer(struck, left => fails(requests, left))
  if (only.length < struck.length) requests = await fewer(requests, left => fails(left, only))
  const shrunk = { ...plan, requests }
  const last = await run(shrunk, { ...options, only: new Set(only) })
  const finding = last.findings.find(each => each.promise === promise)
  // Where the strikes alone do not do it, all of the seed do.
  if (finding === undefined)
    return { plan, only: first.struck, faults, says: first.findings[0]?.detail ?? '', promise }
  return { plan: shrunk, only, faults, says: finding.detail, promise }
}

/** Leaves out parts of a list, ever smaller ones, as long as what is left still fails. */
async function fewer<T>(
  all: readonly T[],
  fails: (left: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let left = all
  if (left.length > 0 && (await fails([]))) return []
  for (
    let size = Math.ceil(left.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < left.length; ) {
      const without = [...left.slice(0, from), ...left.slice(from + size)]
      if (without.length < left.length && (await fails(without))) left = without
      else from += size
    }
  }
  return left
}

const inOneLine = (names: readonly string[]) => `[${names.map(name => `'${name}'`).join(', ')}]`

/** A shrunk run as a test: a file of its own in tests/simulation. */
export function asTest({ plan, only, faults, says, promise }: Shrunk): string {
  const list = (items: readonly string[]) =>
    items.length === 0 ? '[]' : `[\n${items.map(each => `    '${each}',\n`).join('')}  ]`
  const options = faults === undefined ? '' : `faults: ${inOneLine(faults)}, `
  const steps = plan.requests.map(
    ({ at, by, name, input }) => `  // ${at} ms: ${by} asks for ${name} ${JSON.stringify(input)}`,
  )
  return [
    "import { expect, it } from 'vitest'",
    "import { run } from './run.ts'",
    "import { planOf } from './workload/plan.ts'",
    '',
    `it('seed ${plan.seed}: ${promise}', async () => {`,
    `  // ${says}`,
    ...steps,
    `  const keys = new Set<string>(${list(plan.requests.map(({ key }) => key))})`,
    `  const only = new Set<string>(${list(only)})`,
    `  const plan = planOf(${plan.seed})`,
    '  const requests = plan.requests.filter(({ key }) => keys.has(key))',
    `  const { findings } = await run({ ...plan, requests }, { ${options}only })`,
    '  expect(findings).toEqual([])',
    '})',
  ].join('\n')
}
