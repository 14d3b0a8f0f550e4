// Positions as numbers, for adapters only: no other layer may import this.
import type { Position } from '../../kit/position.ts'

/** The number of a position, for an adapter whose store numbers its events. */
export function toNumber(position: Position): bigint {
  const value: unknown = position
  if (typeof value !== 'bigint') throw new TypeError('not a position')
  return value
}

/** The position that a store's own number stands for. */
export function toPosition(number: bigint): Position {
  const value: unknown = number
  if (!isPosition(value)) throw new TypeError('not a position')
  return value
}

/** The position a number of events after another one, in a store that numbers them gaplessly. */
export function advanced(position: Position, events: number): Position {
  return toPosition(toNumber(position) + BigInt(events))
}

/** The events from one position to another, in a store that numbers them gaplessly. */
export function eventsBetween(from: Position, to: Position): number {
  return to > from ? Number(toNumber(to) - toNumber(from)) : 0
}

function isPosition(value: unknown): value is Position {
  return typeof value === 'bigint'
}
