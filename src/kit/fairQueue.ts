// A fair queue: a semaphore that serves kinds of work and callers round robin, and is bounded.

/** Callers of one kind are served round robin, and so are the kinds. */
export interface QueueKey {
  kind: string
  by: string
}

export interface FairQueue {
  /** Runs `work` when it is served. Throws `crowded()` when the queue is full. */
  take<T>(request: QueueKey, work: () => Promise<T>): Promise<T>
  /** Fails all that is queued. */
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
 * One caller cannot delay the others by more than one piece of work each: after it was served it
 * goes to the end. Where a kind is full, the newest entry of the caller with the most is refused.
 */
export function createFairQueue({ atOnce, each, all, crowded }: FairQueueOptions): FairQueue {
  const callersByKind: CallersByKind = new Map()
  const running = new Map<string, number>()
  let free = atOnce

  function enter({ kind, by }: QueueKey, queued: QueuedCall): void {
    const callers = callersByKind.get(kind) ?? new Map<string, QueuedCall[]>()
    const own = callers.get(by) ?? []
    const under = running.get(nameOf({ kind, by })) ?? 0
    if (own.length + under >= each) throw crowded()
    if (countOf(callers) >= all) evictLongestQueue(callers, own.length, crowded)
    own.push(queued)
    callers.set(by, own)
    callersByKind.set(kind, callers)
  }

  function startNext(): void {
    while (free > 0) {
      const next = dequeue(callersByKind)
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
      const queued = [...callersByKind.values()].flatMap(callers => [...callers.values()].flat())
      callersByKind.clear()
      for (const { refuse } of queued) refuse(error)
    },
  }
}

const nameOf = ({ kind, by }: QueueKey) => `${kind} ${by}`

function countOf(callers: ReadonlyMap<string, QueuedCall[]>): number {
  let count = 0
  for (const queued of callers.values()) count += queued.length
  return count
}

/** Refuses the newest entry of the caller with the most; throws where none has more than `own`. */
function evictLongestQueue(
  callers: Map<string, QueuedCall[]>,
  own: number,
  crowded: () => Error,
): void {
  const greediest = [...callers.values()].reduce<QueuedCall[]>(
    (most, queued) => (queued.length > most.length ? queued : most),
    [],
  )
  if (greediest.length <= own + 1) throw crowded()
  greediest.pop()?.refuse(crowded())
}

/** The first entry of the next caller of the next kind; both go to the end. */
function dequeue(callersByKind: CallersByKind): QueuedCall | undefined {
  const [kind, callers] = firstOf(callersByKind) ?? []
  const [by, queued] = firstOf(callers) ?? []
  if (kind === undefined || callers === undefined || by === undefined) return undefined
  const next = queued?.shift()
  callers.delete(by)
  if (queued !== undefined && queued.length > 0) callers.set(by, queued)
  callersByKind.delete(kind)
  if (callers.size > 0) callersByKind.set(kind, callers)
  return next
}

function firstOf<Key, Value>(map: ReadonlyMap<Key, Value> | undefined): [Key, Value] | undefined {
  return map?.entries().next().value
}
