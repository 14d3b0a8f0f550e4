// Positions that tests make up, and the numbers behind those of a log that numbers its events.

import { toNumber, toPosition } from '../../src/eventstore/core/positionNumbers.ts'
import type { Position } from '../../src/kit/position.ts'

/** The position that a number stands for. */
export function positionAt(number: bigint | number): Position {
  return toPosition(BigInt(number))
}

/** The position a number of events behind another one, or before it. */
export function moved(position: Position, by: bigint | number): Position {
  return toPosition(toNumber(position) + BigInt(by))
}

export { toNumber as numberOf }
