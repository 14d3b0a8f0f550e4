// Runs seed after seed, and tells what they have come to.
import type { Finding } from '../../src/audit/auditor/evidence.ts'
import { type Outcome, type RunOptions, run } from './run.ts'
import { realNow } from './virtualTime.ts'
import { planOf } from './workload/plan.ts'

export interface Failure {
  seed: number
  findings: readonly Finding[]
}

export interface Summary {
  runs: number
  /** Runs that were different from all before: other events, or in another order. */
  schedules: number
  /** Events in all logs together, and wake-ups. */
  events: number
  steps: number
  strikes: number
  virtualHours: number
  seconds: number
  failures: readonly Failure[]
}

export interface Wanted extends RunOptions {
  seeds: Iterable<number>
  /** Ends after so many failures. */
  failuresMax: number
  /** Ends after so many seconds. */
  secondsMax?: number | undefined
  onProgress?: (summary: Summary) => void
  onRun?: (seed: number, outcome: Outcome) => void
}

export async function simulate(wanted: Wanted): Promise<Summary> {
  const { seeds, failuresMax, secondsMax, onProgress, onRun, ...options } = wanted
  const began = realNow()
  const schedules = new Set<number>()
  const failures: Failure[] = []
  let [runs, events, steps, strikes, virtualMs] = [0, 0, 0, 0, 0]
  const summary = (): Summary => ({
    runs,
    schedules: schedules.size,
    events,
    steps,
    strikes,
    virtualHours: virtualMs / 3_600_000,
    seconds: (realNow() - began) / 1_000,
    failures,
  })
  for (const seed of seeds) {
    const outcome = await run(planOf(seed), options)
    runs += 1
    events += outcome.events.length
    steps += outcome.steps
    strikes += outcome.struck.length
    virtualMs += outcome.virtualMs
    schedules.add(outcome.trace)
    if (outcome.findings.length > 0) failures.push({ seed, findings: outcome.findings })
    onRun?.(seed, outcome)
    onProgress?.(summary())
    if (failures.length >= failuresMax) break
    if (secondsMax !== undefined && summary().seconds > secondsMax) break
  }
  return summary()
}

/** The seeds from one on. */
export function* seedsFrom(first: number, count: number): Generator<number> {
  for (let seed = first; seed < first + count; seed += 1) yield seed
}
