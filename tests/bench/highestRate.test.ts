// The search for the highest rate that a system holds.
import { describe, expect, it } from 'vitest'
import { confirmRate, highestRate } from '../../bench/highestRate.ts'

const upTo = (limit: number) => async (rate: number) => rate <= limit

describe('the highest rate', () => {
  it.each([90, 150, 333, 1_000])('comes close to a limit of %i from below', async limit => {
    const rate = await highestRate(upTo(limit), { first: 200, steps: 12 })
    expect(rate).toBeLessThanOrEqual(limit)
    expect(rate).toBeGreaterThan(limit * 0.95)
  })

  it('is the lowest that was tried where none held', async () => {
    const rate = await highestRate(upTo(0), { first: 100, steps: 2 })
    expect(rate).toBeCloseTo(70)
  })
})

describe('a rate that has to be confirmed', () => {
  const trial = (limit: number) => async (rate: number) => ({ rate, isHeld: rate <= limit })

  it('is lowered until it holds', async () => {
    expect((await confirmRate(trial(85), 100)).rate).toBeCloseTo(81)
  })

  it('is none where even lower ones do not hold', async () => {
    await expect(confirmRate(trial(10), 100)).rejects.toThrow('not even 48 a second held')
  })
})
