// Medians, percentiles and bars of the benchmarks: what figures are judged by.
import { describe, expect, it } from 'vitest'
import { slowdown } from '../../bench/growth.ts'
import { interleave, judge, measuredAs, meets, type Verdict } from '../../bench/harness.ts'
import { percentile, spreadOf } from '../../bench/statistics.ts'
import { verdictMarkdown, verdictTable } from '../../bench/tables.ts'

const hundred = Array.from({ length: 101 }, (_, value) => value)

describe('a percentile', () => {
  it.each([
    [0, 0],
    [50, 50],
    [99, 99],
    [100, 100],
  ])('%i of the numbers from 0 to 100 is %i', (percent, value) => {
    expect(percentile(hundred, percent)).toBe(value)
  })

  it('between two values is between them', () => {
    expect(percentile([10, 20], 50)).toBe(15)
    expect(percentile([10, 20, 30, 40], 99)).toBeCloseTo(39.7)
  })

  it('of one value is that value, and of none it is 0', () => {
    expect(percentile([7], 99)).toBe(7)
    expect(percentile([], 50)).toBe(0)
  })
})

describe('a spread', () => {
  it('sorts by size, not as text', () => {
    expect(spreadOf([9, 100, 20])).toEqual({ median: 20, lowest: 9, highest: 100 })
  })
})

describe('a bar', () => {
  it('is met from its own value on', () => {
    expect(meets(0.35, { atLeast: 0.35 })).toBe(true)
    expect(meets(0.349, { atLeast: 0.35 })).toBe(false)
    expect(meets(25, { atMost: 25 })).toBe(true)
    expect(meets(25.1, { atMost: 25 })).toBe(false)
  })

  it('is not met by what is no number', () => {
    expect(meets(Number.NaN, { atMost: 25 })).toBe(false)
    expect(meets(Number.POSITIVE_INFINITY, { atLeast: 1 })).toBe(false)
  })
})

describe('a verdict', () => {
  const measured = [
    measuredAs('path', 'requests/s', [10, 30, 20]),
    measuredAs('limit', 'requests/s', [100, 100, 50]),
  ]
  const asked = { row: 3, path: 'A path', of: 'path', to: 'limit' }

  it('divides round by round, and judges the median of that', () => {
    const verdict = judge(measured, { ...asked, bar: { atLeast: 0.31 } })
    expect(verdict.judged).toEqual({ median: 0.3, lowest: 0.1, highest: 0.4 })
    expect(verdict.met).toBe(false)
  })

  it('judges the figure itself where there is no limit', () => {
    const verdict = judge(measured, { row: 3, path: 'A path', of: 'path', bar: { atMost: 20 } })
    expect(verdict.judged.median).toBe(20)
    expect(verdict.met).toBe(true)
  })

  it('is not met when the limit has no figure', () => {
    const nothing = [measured[0], measuredAs('limit', 'requests/s', [])]
    const there = nothing.filter(each => each !== undefined)
    expect(judge(there, { ...asked, bar: { atLeast: 0.1 } }).met).toBe(false)
  })

  it('is about something that was measured', () => {
    expect(() => judge(measured, { ...asked, of: 'nothing' })).toThrow(
      'nothing was measured as nothing',
    )
  })

  it('says in both tables when its bar is missed', () => {
    const verdict = judge(measured, { ...asked, bar: { atLeast: 0.31 } })
    const cells = ['A path', '20.0 requests/s', '100 requests/s: limit', '0.30', '>= 0.31']
    for (const cell of [...cells, 'MISSED', '0.10–0.40']) {
      expect(verdictTable([verdict])).toContain(cell)
      expect(verdictMarkdown([verdict])).toContain(cell)
    }
  })
})

describe('rounds', () => {
  it('take turns, and those of the warm-up are thrown away', async () => {
    const order: string[] = []
    const candidate = (name: string) => ({
      name,
      unit: 'ms',
      run: async (round: number) => order.push(`${name}${round}`) && round,
    })
    const [a] = await interleave([candidate('a'), candidate('b')], { warmups: 1, rounds: 2 })
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])
    expect(a?.figures).toEqual([1, 2])
  })
})

describe('growth', () => {
  const verdict = (unit: string, median: number): Verdict => ({
    row: 1,
    path: 'A path',
    figure: { median, unit },
    judged: spreadOf([median]),
  })

  it('is slower when a rate falls, and when a time grows', () => {
    expect(slowdown(verdict('events/s', 100), verdict('events/s', 50))).toBe(2)
    expect(slowdown(verdict('ms', 10), verdict('ms', 20))).toBe(2)
  })
})
