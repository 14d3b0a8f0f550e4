// The limit of rows 3 and 4: a bare route under the load of the path that is compared to it.
import { settingsOn } from './app.ts'
import type { BenchDatabase } from './database.ts'
import type { Candidate } from './harness.ts'
import type { HttpBench } from './httpBench.ts'
import { barePath, type LeastWork } from './leastWork.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'

export const bareLimit = 'bare route, the same events'

/** The bare route of a command, sent the same requests as the shop. */
export async function bareCandidates(
  { loader, startLimits }: HttpBench,
  work: LeastWork,
  { database, lanes, forMs }: { database: BenchDatabase; lanes: Call[][]; forMs: number },
): Promise<Candidate[]> {
  const { url } = await startLimits({ bare: { work, settings: settingsOn(database) } })
  const bare = lanes.map(calls => calls.map(call => ({ ...call, path: barePath(work) })))
  return loadCandidates(bareLimit, () =>
    loader.run(bareLimit, { url, lanes: bare, expects: [201], forMs }),
  )
}
