// How far the projections of this process are, for those who wait to read their own writes.
import { type Position, startOfLog } from '../../kit/position.ts'

export interface Progress {
  /** Told after each commit. */
  reached(name: string, position: Position): void
  /** The position that this process knows to be committed, `startOfLog` when it runs elsewhere. */
  positionOf(name: string): Position
  /** Resolves when somebody has got further, or after `timeoutMs`. */
  nextStep(timeoutMs: number): Promise<void>
}

/** An empty board. */
export function createProgress(): Progress {
  const positions = new Map<string, Position>()
  const waiters = new Set<() => void>()
  return {
    reached(name, position) {
      positions.set(name, position)
      for (const wake of [...waiters]) wake()
    },
    positionOf: name => positions.get(name) ?? startOfLog,
    nextStep: timeoutMs =>
      new Promise(resolve => {
        const wake = () => {
          clearTimeout(timer)
          waiters.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, timeoutMs)
        waiters.add(wake)
      }),
  }
}
