// Runs rebuilds that were requested, are required by a new version, or were interrupted.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Log } from '../../ports/log.ts'
import { outdated } from '../../projections/core/checkpoints.ts'
import type { Projection } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { BeingRebuilt, rebuild } from '../../projections/rebuild/rebuild.ts'
import { waitingRebuilds } from '../../projections/rebuild/rebuildStates.ts'
import { rollBack } from '../../projections/rebuild/swap.ts'
import { type LogParts, rebuildLog } from './logReader.ts'

export interface RebuildParts extends LogParts {
  db: Kysely<Tables>
  projections: readonly Projection[]
  log: Log
}

const pollMs = 1_000

/**
 * Runs due rebuilds until the signal aborts; the next process resumes them.
 */
export async function runRebuilds(parts: RebuildParts, signal: AbortSignal): Promise<void> {
  const { log } = parts
  while (!signal.aborted) {
    try {
      await rebuildRequested(parts, signal)
    } catch (error) {
      if (signal.aborted) return
      log.error({ error: String(error) }, 'rebuilding failed, trying again')
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

async function rebuildRequested(parts: RebuildParts, signal: AbortSignal): Promise<void> {
  const { db, projections, log } = parts
  const found = await stillDue(db, projections)
  if (found.length === 0) return
  const old = await outdated(db, found)
  const due: Projection[] = []
  for (const projection of found) {
    const { name, version } = projection
    if (old.includes(name) && (await rollBack(db, projection, version)) !== undefined) {
      log.info(
        { projection: name, version },
        'the previous tables have this version and serve again',
      )
    } else due.push(projection)
  }
  if (due.length > 0) await rebuildDue(parts, due, signal)
}

/** Projections with tables of another version, and those with a requested or unfinished rebuild. */
async function stillDue(db: Kysely<Tables>, projections: readonly Projection[]) {
  const [old, waiting] = await Promise.all([outdated(db, projections), waitingRebuilds(db)])
  return projections.filter(({ name }) => old.includes(name) || waiting.includes(name))
}

/** Rebuilds projections, except those that another process is rebuilding or has rebuilt. */
export async function rebuildDue(
  parts: RebuildParts,
  due: readonly Projection[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await rebuildAll(parts, due, signal)
  } catch (error) {
    if (!(error instanceof BeingRebuilt)) throw error
    // Another process rebuilds one of them: try the others one by one.
    for (const each of due.length > 1 ? due : []) {
      await rebuildAll(parts, [each], signal).catch(ignoreBeingRebuilt)
    }
  }
}

function ignoreBeingRebuilt(error: unknown): void {
  if (!(error instanceof BeingRebuilt)) throw error
}

/** Rebuilds all of them from one reading of the log. */
async function rebuildAll(
  parts: RebuildParts,
  due: readonly Projection[],
  signal: AbortSignal,
): Promise<void> {
  const { db, log } = parts
  const onProgress = () => undefined
  const rebuilt = await rebuild(db, due, {
    ...rebuildLog(parts),
    onProgress,
    signal,
    stillDue: all => stillDue(db, all),
  })
  for (const { name, position, matches, differences, broken, serves } of rebuilt) {
    const told = { projection: name, position: String(position), matches }
    if (broken.count > 0) {
      const says = serves ? 'rebuilt without events that are missing' : 'not rebuilt'
      log.error({ event: 'rebuild-broken-streams', ...told, broken }, `${says}: broken streams`)
    }
    if (!serves) continue
    if (matches === false) log.warn({ ...told, differences }, 'rebuilt: the old rows were others')
    else log.info(told, 'rebuilt')
  }
}
