// A fair semaphore: bounds what is under way so that no caller can take all of it.
import { createDictionary } from './dictionary.ts'

/** A caller that asks for a place. */
export interface Claimant {
  /** An account, or whatever else tells one caller from another. */
  by: string
  /** What many callers may share, such as an address. */
  from: string
  /** Which of the bounds counts for them: an index of `most`. */
  level: number
}

export interface FairSemaphore {
  /** Takes a place; gives what frees it again, undefined where there is none for this caller. */
  take(claimant: Claimant): (() => void) | undefined
}

/** The callers of one address together may hold so many times the free places. */
const sharedTimes = 3
/** The same for a caller that holds no place yet. */
const firstTimes = 9

type Counts = ReturnType<typeof createDictionary<number>>

/**
 * Places of which the callers of the lowest level may hold `most[0]`, those of the two lowest
 * levels together `most[1]`, and so on: the rest is reserved for the levels above.
 *
 * A caller may hold as many as are left free, and an address three times as many. So one caller
 * alone gets half of the places, and n of them leave one part in n + 1 free: whoever holds none
 * finds one, also behind an address that others flood, up to nine tenths of the places. Nobody gets
 * more than `each`.
 */
export function createFairSemaphore(
  most: readonly number[],
  each = Number.POSITIVE_INFINITY,
): FairSemaphore {
  const inside = most.map(() => 0)
  const callers = createDictionary<number>()
  const addresses = createDictionary<number>()

  function freeAt(level: number): number {
    let free = Number.POSITIVE_INFINITY
    let below = 0
    for (const [at, bound] of most.entries()) {
      below += inside[at] ?? 0
      if (at >= level) free = Math.min(free, bound - below)
    }
    return free
  }

  function count(level: number, by: number) {
    inside[level] = (inside[level] ?? 0) + by
  }

  return {
    take({ by, from, level }) {
      const free = freeAt(level)
      const own = callers[by] ?? 0
      const near = addresses[from] ?? 0
      if (own >= Math.min(free, each) || near >= free * (own === 0 ? firstTimes : sharedTimes)) {
        return undefined
      }
      add(callers, by)
      add(addresses, from)
      count(level, 1)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        remove(callers, by)
        remove(addresses, from)
        count(level, -1)
      }
    },
  }
}

function add(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

function remove(counts: Counts, name: string): void {
  const left = (counts[name] ?? 1) - 1
  if (left > 0) counts[name] = left
  else delete counts[name]
}
