// The scheduler of the simulated world: it owns time and every wake-up. One event runs at a time,
// until nothing is left to do for it; the next one is that which is due first.

/** Whose code an event runs: a process that can be dead, or stand still. */
export interface Owner {
  isDead: boolean
  /** Until when it stands still, in virtual milliseconds. */
  pausedUntil: number
}

export interface Timer {
  cancel(): void
}

/** Gives `quiet` where it has woken nobody: then promises need not come to rest behind it. */
export type Run = () => unknown

interface Event extends Timer {
  at: number
  order: number
  owner: Owner | undefined
  run: Run
  isCancelled: boolean
}

export interface Scheduler {
  /** Virtual milliseconds since the world began. */
  now(): number
  /** Whose code runs now; undefined for the world around the processes. */
  current(): Owner | undefined
  /**
   * Runs something later. Of a process that has died meanwhile nothing is run any more; of one that
   * stands still it is run when it goes on.
   */
  after(delayMs: number, owner: Owner | undefined, run: Run): Timer
  /** Resolves after so long, for the world around the processes. */
  sleep(delayMs: number): Promise<void>
  /** Runs what is due until then, or until `isDone`. */
  runUntil(endMs: number, isDone?: () => boolean): Promise<void>
  /** How many events have been run. */
  steps(): number
}

/** The real one, from before the world replaced it: behind it every promise has come to rest. */
const realImmediate = setImmediate
const atRest = () => new Promise<void>(resolve => realImmediate(resolve))

/** A world at the moment 0. */
export function createScheduler(): Scheduler {
  const heap = createHeap()
  let now = 0
  let order = 0
  let steps = 0
  let current: Owner | undefined

  function add(delayMs: number, owner: Owner | undefined, run: Run): Event {
    order += 1
    const at = now + Math.max(0, delayMs)
    const event: Event = {
      at,
      order,
      owner,
      run,
      isCancelled: false,
      cancel() {
        event.isCancelled = true
      },
    }
    heap.push(event)
    return event
  }

  /** The next event that is to be run, undefined where none is due by then. */
  function take(endMs: number): Event | undefined {
    for (let first = heap.first(); first !== undefined; first = heap.first()) {
      if (first.at > endMs) return undefined
      heap.pop()
      if (first.isCancelled || first.owner?.isDead === true) continue
      const goesOn = first.owner?.pausedUntil ?? 0
      if (goesOn <= first.at) return first
      first.at = goesOn
      heap.push(first)
    }
    return undefined
  }

  return {
    now: () => now,
    current: () => current,
    steps: () => steps,
    after: add,
    sleep: delayMs => new Promise(resolve => add(delayMs, undefined, () => resolve())),
    async runUntil(endMs, isDone = () => false) {
      for (let event = take(endMs); event !== undefined; event = take(endMs)) {
        now = event.at
        steps += 1
        current = event.owner
        if (event.run() !== 'quiet') await atRest()
        current = undefined
        if (isDone()) return
      }
      now = Math.max(now, endMs)
    },
  }
}

/** A binary heap of events, the one that is due first on top. */
function createHeap() {
  const items: Event[] = []
  const isBefore = (one: Event, other: Event) =>
    one.at < other.at || (one.at === other.at && one.order < other.order)

  function swap(one: number, other: number): void {
    const [a, b] = [items[one], items[other]]
    if (a === undefined || b === undefined) return
    items[one] = b
    items[other] = a
  }

  function isSwapped(parent: number, child: number): boolean {
    const [above, below] = [items[parent], items[child]]
    return above !== undefined && below !== undefined && isBefore(below, above)
  }

  return {
    first: () => items[0],
    push(event: Event) {
      items.push(event)
      let at = items.length - 1
      while (at > 0) {
        const parent = (at - 1) >>> 1
        if (!isSwapped(parent, at)) return
        swap(parent, at)
        at = parent
      }
    },
    pop() {
      const last = items.pop()
      if (last === undefined || items.length === 0) return
      items[0] = last
      let at = 0
      for (;;) {
        const left = 2 * at + 1
        const least = isSwapped(left, left + 1) ? left + 1 : left
        if (!isSwapped(at, least)) return
        swap(at, least)
        at = least
      }
    },
  }
}
