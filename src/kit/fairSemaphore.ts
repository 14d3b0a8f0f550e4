// Places for what is under way: bounded, and no caller can take all of them.
import { Lookup } from './shortLived.ts'

/** Who wants a place. */
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

/** Those who share an address may have so many times the room that is left. */
const sharedTimes = 3
/** The same for whoever of them has no place yet. */
const firstTimes = 9

interface Held {
  count: number
}

/**
 * Places of which the callers of the lowest level may hold `most[0]`, those of the two lowest
 * levels together `most[1]`, and so on: what is beyond is kept for those above them.
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
  const callers = new Lookup<Held>()
  const addresses = new Lookup<Held>()

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
      const own = callers.get(by)?.count ?? 0
      const near = addresses.get(from)?.count ?? 0
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

function add(all: Lookup<Held>, name: string): void {
  const held = all.get(name)
  if (held === undefined) all.set(name, { count: 1 })
  else held.count += 1
}

function remove(all: Lookup<Held>, name: string): void {
  const held = all.get(name)
  if (held === undefined) return
  held.count -= 1
  if (held.count === 0) all.delete(name)
}
