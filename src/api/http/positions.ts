// Waits until read models have reached a position, with one shared poll for all waits.

import { type Claimant, createFairSemaphore } from '../../kit/fairSemaphore.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import { createSingleFlight } from '../../kit/singleFlight.ts'
import { forCustomers, limitsOf } from './limitKeys.ts'

export interface PositionWait {
  projection: string
  wanted: Position
  /** The caller, for the limits of waits. */
  claimant: Claimant
  /** When it ends (`performance.now()`), for waits that end together. */
  endsBy?: number
}

export interface Positions {
  /**
   * The position of a projection once it has reached `wanted`; its current position
   * after two seconds, or at once above the limits of waits.
   */
  reached(wait: PositionWait): Promise<Position>
  /** The position that a projection is known to have reached, without a query. */
  known(projection: string): Position
  /** The head of the log, if `wanted` is after it. */
  headBefore(wanted: Position): Promise<Position | undefined>
}

export interface PositionSources {
  /** The committed positions of all projections by name. */
  readPositions(): Promise<ReadonlyMap<string, Position>>
  readHead(): Promise<Position>
  progress: Reached
}

interface Waiter extends PositionWait {
  deadline: number
  leave(): void
  resolve(position: Position): void
  reject(error: unknown): void
}

const digits = /^\d{1,18}$/

/** Whether a text is a position: up to 18 digits, which always fit a bigint of the database. */
export function isPosition(text: string): boolean {
  return digits.test(text)
}

/** How long a wait takes at most, unless it ends with others. */
export const waitMaxMs = 2_000
const pollMs = 20
const waitersMax = 1_000
const anonymousMax = 100
/** How long a read position is trusted: a rollback can move a read model back. */
const believedMs = 1_000

/** Callers that wait for read models, with one poll for all of them. */
class PositionWaits {
  readonly #waiters = new Set<Waiter>()
  readonly #progress: Reached
  readonly #look: () => Promise<ReadonlyMap<string, Position>>
  readonly #places = createFairSemaphore(
    limitsOf({ strangers: anonymousMax, customers: forCustomers(waitersMax), all: waitersMax }),
  )
  #isPolling = false

  constructor(progress: Reached, look: () => Promise<ReadonlyMap<string, Position>>) {
    this.#progress = progress
    this.#look = look
  }

  /** Waits, within the limits. */
  join(wait: PositionWait): Promise<Position> | undefined {
    const leave = this.#places.take(wait.claimant)
    if (leave === undefined) return undefined
    return new Promise((resolve, reject) => {
      const deadline = wait.endsBy ?? performance.now() + waitMaxMs
      this.#waiters.add({ ...wait, deadline, leave, resolve, reject })
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
    this.#settle(name => positions.get(name) ?? startOfLog, true)
  }

  #settle(positionOf: (projection: string) => Position, endsOverdue: boolean) {
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
    if (this.#waiters.delete(waiter)) waiter.leave()
  }
}

/** The waits of one process; they cost one query per poll, however many there are. */
export function createPositions(sources: PositionSources): Positions {
  const { progress } = sources
  let last = { positions: new Map<string, Position>(), at: 0 }
  const look = createSingleFlight(async () => {
    const at = performance.now()
    const positions = new Map(await sources.readPositions())
    last = { positions, at }
    return positions
  })
  const askHead = createSingleFlight(() => sources.readHead())
  const waiting = new PositionWaits(progress, look)
  let knownHead = startOfLog

  function known(projection: string): Position {
    const here = progress.positionOf(projection)
    const isBelieved = performance.now() - last.at < believedMs
    const read = isBelieved ? (last.positions.get(projection) ?? startOfLog) : startOfLog
    return here > read ? here : read
  }

  return {
    known,
    async reached(wait) {
      const before = known(wait.projection)
      if (before >= wait.wanted) return before
      const position = (await look()).get(wait.projection) ?? startOfLog
      if (position > knownHead) knownHead = position
      if (position >= wait.wanted) return position
      return waiting.join(wait) ?? position
    },
    async headBefore(wanted) {
      if (wanted <= knownHead) return undefined
      const head = await askHead()
      if (head > knownHead) knownHead = head
      return wanted <= head ? undefined : head
    },
  }
}

/** How far the projections are that run in this process. */
export interface Reached {
  positionOf(name: string): Position
  nextStep(timeoutMs: number): Promise<void>
}
