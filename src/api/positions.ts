// Waits until read models have reached a position: bounded, with one shared poll for all waits.
import { askTogether } from '../kit/gather.ts'
import type { Reached } from './context.ts'

export interface PositionWait {
  projection: string
  wanted: bigint
  /** Anonymous callers share few places, so that they cannot take those of everybody else. */
  isAnonymous: boolean
}

export interface Positions {
  /**
   * The position of a projection once it has reached `wanted`. The position that it has instead
   * after two seconds, or at once where too many are waiting already.
   */
  reached(wait: PositionWait): Promise<bigint>
  /** The position that a projection is known to have reached, without asking. */
  known(projection: string): bigint
  /** The newest position of the log, if `wanted` is beyond it. */
  headBefore(wanted: bigint): Promise<bigint | undefined>
}

export interface PositionSources {
  /** The committed positions of all projections by name. */
  readPositions(): Promise<ReadonlyMap<string, bigint>>
  readHead(): Promise<bigint>
  progress: Reached
}

interface Waiter extends PositionWait {
  deadline: number
  resolve(position: bigint): void
  reject(error: unknown): void
}

const digits = /^\d{1,18}$/

/** Whether a text is a position: up to 18 digits, which always fit a bigint of the database. */
export function isPosition(text: string): boolean {
  return digits.test(text)
}

const waitMaxMs = 2_000
const pollMs = 20
const waitersMax = 1_000
const anonymousMax = 100
/** So long what was read is believed: a rollback can take a read model back. */
const believedMs = 1_000

/** Callers that wait for read models, with one poll for all of them. */
class WaitingList {
  readonly #waiters = new Set<Waiter>()
  readonly #progress: Reached
  readonly #look: () => Promise<ReadonlyMap<string, bigint>>
  #anonymous = 0
  #isPolling = false

  constructor(progress: Reached, look: () => Promise<ReadonlyMap<string, bigint>>) {
    this.#progress = progress
    this.#look = look
  }

  isFull(isAnonymous: boolean): boolean {
    return this.#waiters.size >= waitersMax || (isAnonymous && this.#anonymous >= anonymousMax)
  }

  join(wait: PositionWait): Promise<bigint> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ ...wait, deadline: performance.now() + waitMaxMs, resolve, reject })
      if (wait.isAnonymous) this.#anonymous += 1
      if (!this.#isPolling) void this.#poll()
    })
  }

  async #poll() {
    this.#isPolling = true
    try {
      while (this.#waiters.size > 0) await this.#pollOnce()
    } catch (error) {
      for (const waiter of this.#waiters) {
        this.#remove(waiter)
        waiter.reject(error)
      }
    } finally {
      this.#isPolling = false
    }
  }

  /** Follows the projections of this process for one interval, then asks the database once. */
  async #pollOnce() {
    const { positionOf, nextStep } = this.#progress
    const until = performance.now() + pollMs
    for (let left = pollMs; left > 0 && this.#waiters.size > 0; left = until - performance.now()) {
      await nextStep(left)
      this.#settle(positionOf, false)
    }
    if (this.#waiters.size === 0) return
    const positions = await this.#look()
    this.#settle(name => positions.get(name) ?? 0n, true)
  }

  #settle(positionOf: (projection: string) => bigint, endsOverdue: boolean) {
    const now = performance.now()
    for (const waiter of this.#waiters) {
      const position = positionOf(waiter.projection)
      const isOverdue = endsOverdue && now > waiter.deadline
      if (position < waiter.wanted && !isOverdue) continue
      this.#remove(waiter)
      waiter.resolve(position)
    }
  }

  #remove(waiter: Waiter) {
    if (this.#waiters.delete(waiter) && waiter.isAnonymous) this.#anonymous -= 1
  }
}

/** The waits of one process; they cost one query per poll, however many there are. */
export function createPositions(sources: PositionSources): Positions {
  const { progress } = sources
  let last = { positions: new Map<string, bigint>(), at: 0 }
  const look = askTogether(async () => {
    const at = performance.now()
    const positions = new Map(await sources.readPositions())
    last = { positions, at }
    return positions
  })
  const askHead = askTogether(() => sources.readHead())
  const waiting = new WaitingList(progress, look)
  let knownHead = 0n

  function known(projection: string): bigint {
    const here = progress.positionOf(projection)
    const isBelieved = performance.now() - last.at < believedMs
    const read = isBelieved ? (last.positions.get(projection) ?? 0n) : 0n
    return here > read ? here : read
  }

  return {
    known,
    async reached(wait) {
      const before = known(wait.projection)
      if (before >= wait.wanted) return before
      const position = (await look()).get(wait.projection) ?? 0n
      if (position > knownHead) knownHead = position
      const isOver = position >= wait.wanted || waiting.isFull(wait.isAnonymous)
      return isOver ? position : waiting.join(wait)
    },
    async headBefore(wanted) {
      if (wanted <= knownHead) return undefined
      const head = await askHead()
      if (head > knownHead) knownHead = head
      return wanted <= head ? undefined : head
    },
  }
}
