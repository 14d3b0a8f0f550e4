// Turns at scarce work: fair between kinds of work and between callers, and bounded.

/** Whose turn it is: callers of one kind take turns, and the kinds take turns with each other. */
export interface Turn {
  kind: string
  by: string
}

export interface FairQueue {
  /** Runs `work` when its turn has come. Throws `crowded()` when too many wait already. */
  take<T>(request: Turn, work: () => Promise<T>): Promise<T>
  /** Fails everybody who still waits. */
  clear(error: Error): void
}

export interface FairQueueOptions {
  /** How much runs at once. */
  atOnce: number
  /** Running and waiting for one caller. */
  each: number
  /** Waiting of one kind, of all callers together. */
  all: number
  /** What is thrown where there is no room. */
  crowded: () => Error
}

interface QueuedCall {
  start(): void
  refuse(error: Error): void
}

/** Callers by kind, in the order in which their turns come. */
type CallersByKind = Map<string, Map<string, QueuedCall[]>>

/**
 * One caller cannot keep the others waiting for longer than one piece of work each: whose turn has
 * been goes to the end. Where a kind is full, the newest wait of whoever has the most makes room.
 */
export function createFairQueue({ atOnce, each, all, crowded }: FairQueueOptions): FairQueue {
  const callersByKind: CallersByKind = new Map()
  const running = new Map<string, number>()
  let free = atOnce

  function enter({ kind, by }: Turn, waiting: QueuedCall): void {
    const callers = callersByKind.get(kind) ?? new Map<string, QueuedCall[]>()
    const own = callers.get(by) ?? []
    const under = running.get(nameOf({ kind, by })) ?? 0
    if (own.length + under >= each) throw crowded()
    if (countOf(callers) >= all) evictLongestQueue(callers, own.length, crowded)
    own.push(waiting)
    callers.set(by, own)
    callersByKind.set(kind, callers)
  }

  function startNext(): void {
    while (free > 0) {
      const next = takeNext(callersByKind)
      if (next === undefined) return
      free -= 1
      next.start()
    }
  }

  async function run<T>(name: string, work: () => Promise<T>): Promise<T> {
    running.set(name, (running.get(name) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const left = (running.get(name) ?? 1) - 1
      if (left > 0) running.set(name, left)
      else running.delete(name)
      free += 1
      startNext()
    }
  }

  return {
    take: (request, work) =>
      new Promise((resolve, reject) => {
        const start = () => run(nameOf(request), work).then(resolve, reject)
        enter(request, { start, refuse: reject })
        startNext()
      }),
    clear(error) {
      const waiting = [...callersByKind.values()].flatMap(callers => [...callers.values()].flat())
      callersByKind.clear()
      for (const { refuse } of waiting) refuse(error)
    },
  }
}

const nameOf = ({ kind, by }: Turn) => `${kind} ${by}`

function countOf(callers: ReadonlyMap<string, QueuedCall[]>): number {
  let count = 0
  for (const waiting of callers.values()) count += waiting.length
  return count
}

/** Refuses the newest wait of whoever has the most; throws where nobody has more than `own`. */
function evictLongestQueue(
  callers: Map<string, QueuedCall[]>,
  own: number,
  crowded: () => Error,
): void {
  const greediest = [...callers.values()].reduce<QueuedCall[]>(
    (most, waiting) => (waiting.length > most.length ? waiting : most),
    [],
  )
  if (greediest.length <= own + 1) throw crowded()
  greediest.pop()?.refuse(crowded())
}

/** The first of the caller whose turn it is, of the kind whose turn it is; both go to the end. */
function takeNext(callersByKind: CallersByKind): QueuedCall | undefined {
  const [kind, callers] = firstOf(callersByKind) ?? []
  const [by, waiting] = firstOf(callers) ?? []
  if (kind === undefined || callers === undefined || by === undefined) return undefined
  const next = waiting?.shift()
  callers.delete(by)
  if (waiting !== undefined && waiting.length > 0) callers.set(by, waiting)
  callersByKind.delete(kind)
  if (callers.size > 0) callersByKind.set(kind, callers)
  return next
}

function firstOf<Key, Value>(map: ReadonlyMap<Key, Value> | undefined): [Key, Value] | undefined {
  return map?.entries().next().value
}
