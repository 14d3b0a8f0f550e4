// A position is compared, shown and stored; nothing calculates with it.
import { expect, it } from 'vitest'
import {
  comparePositions,
  earliest,
  justAfter,
  justBefore,
  latest,
  type Position,
  parsePosition,
  readPosition,
  shareOfWay,
  startOfLog,
  writePosition,
} from '../../src/kit/position.ts'

const [one, two] = [parsePosition('1'), parsePosition('9007199254740993')]

it('is compared', () => {
  expect([one < two, one > two, one === parsePosition('1'), startOfLog < one]).toEqual([
    true,
    false,
    true,
    true,
  ])
  expect([two, startOfLog, one].sort(comparePositions)).toEqual([startOfLog, one, two])
  expect([latest(one, two, one), latest(), earliest(two, one)]).toEqual([two, startOfLog, one])
})

it('keeps every digit as text and as bytes', () => {
  expect(String(two)).toBe('9007199254740993')
  const bytes = Buffer.alloc(16)
  writePosition(two, bytes, 8)
  expect(readPosition(bytes, 8)).toBe(two)
  expect(String(justBefore(two))).toBe('9007199254740992')
  expect(String(justAfter(two))).toBe('9007199254740994')
  expect(() => parsePosition('1.5')).toThrow(SyntaxError)
})

it('is a share of a way', () => {
  const ten = parsePosition('10')
  expect(shareOfWay(startOfLog, parsePosition('5'), ten)).toBe(0.5)
  expect(shareOfWay(parsePosition('6'), parsePosition('7'), ten)).toBe(0.25)
  expect([shareOfWay(one, startOfLog, ten), shareOfWay(one, two, ten)]).toEqual([0, 1])
  expect(shareOfWay(ten, ten, ten)).toBe(1)
})

it('is not calculated with', () => {
  const calculations: ((position: Position) => unknown)[] = [
    // @ts-expect-error: their difference is no number of events
    position => position - one,
    // @ts-expect-error
    position => position + one,
    // @ts-expect-error
    position => position * one,
    // @ts-expect-error
    position => position / one,
    // @ts-expect-error
    position => position === 1n,
    // @ts-expect-error
    position => position < 5n,
    // @ts-expect-error
    (position): bigint => position,
    // @ts-expect-error
    position => BigInt(position),
    // @ts-expect-error
    position => Number(position) / 2,
    // @ts-expect-error
    (_): Position => 5n,
  ]
  expect(calculations).toHaveLength(10)
})
