// The load generator as benchmarks see it: what to send, and figures for those who take turns.
import { startHelper } from './child.ts'
import type { Candidate } from './harness.ts'
import { isLoadResult, type LoadPlan, type LoadResult, unexpected } from './loadPlan.ts'
import { type ProcessorClock, type ProcessorTime, timePerRequest } from './processorTime.ts'

/** What came of a load, and the processor time that one of its requests has used. */
export interface LoadFigures extends LoadResult {
  processor: ProcessorTime
}

export interface Loader {
  /** Sends what a plan says. Throws when an answer was not one of those that it expects. */
  run(name: string, plan: LoadPlan): Promise<LoadFigures>
  stop(): Promise<void>
}

/** Starts the load generator. */
export function startLoader(clock: ProcessorClock): Loader {
  const helper = startHelper('load.ts')
  return {
    async run(name, plan) {
      const before = await clock.read()
      const result = await helper.ask(plan)
      if (!isLoadResult(result)) throw new Error(`${name}: ${JSON.stringify(result)}`)
      refuseSurprises(name, result, plan.expects)
      const processor = timePerRequest(before, await clock.read(), result.requests)
      return { ...result, processor }
    },
    stop: helper.stop,
  }
}

/** A benchmark that counts failures as work would lie: one answer too strange, and it has none. */
export function refuseSurprises(name: string, result: LoadResult, expects: readonly number[]) {
  const strange = unexpected(result, expects)
  if (strange === 0 && result.requests > 0) return
  const share = `${strange} of ${result.requests} answers were not ${expects.join(' or ')}`
  throw new Error(`${name}: ${share}: ${result.surprises.join(' · ')}`)
}

/** The throughput of some load, and its latencies in the same rounds. */
export function loadCandidates(
  name: string,
  load: (round: number) => Promise<LoadFigures>,
): Candidate[] {
  let last: LoadFigures | undefined
  return [
    {
      name,
      unit: 'requests/s',
      async run(round) {
        last = await load(round)
        return { figure: last.perSecond, processor: last.processor }
      },
    },
    { name: `${name}, p50`, unit: 'ms', run: async () => last?.p50Ms ?? 0 },
    { name: `${name}, p99`, unit: 'ms', run: async () => last?.p99Ms ?? 0 },
  ]
}
