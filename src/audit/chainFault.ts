// What can be wrong where the log does not agree with its hash chain.
import type { Position } from '../kit/position.ts'

export const problems = [
  'changed',
  'missing',
  'added',
  'forged-checkpoint',
  'missing-checkpoint',
  'wrong-hash',
  'unsealed',
  'went-back',
  'reordered',
] as const

/** The first place that does not agree. */
export interface Fault {
  position: Position
  problem: (typeof problems)[number]
  detail: string
}
