// Positions of the projections of this process, for requests that wait for their own writes.
import { type Position, startOfLog } from '../../kit/position.ts'

export interface Progress {
  /** Called after each commit. */
  reached(name: string, position: Position): void
  /** The position committed by this process; `startOfLog` if another process runs it. */
  positionOf(name: string): Position
  /** Resolves at the next progress of any projection, or after `timeoutMs`. */
  nextStep(timeoutMs: number): Promise<void>
}

/** Progress before any commit. */
export function createProgress(): Progress {
  const positions = new Map<string, Position>()
  const waiters = new Set<() => void>()
  return {
    reached(name, position) {
      positions.set(name, position)
      for (const resume of [...waiters]) resume()
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
