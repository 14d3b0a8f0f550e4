// What never settles is waited for so long and no longer.
import { describe, expect, it } from 'vitest'
import { eachWithin, Overdue, withDeadline } from '../../src/kit/deadline.ts'

const never = new Promise<never>(() => undefined)

describe('within', () => {
  it('settles as the work does', async () => {
    expect(await withDeadline(10_000, 'it', Promise.resolve(7))).toBe(7)
    await expect(withDeadline(10_000, 'it', Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('gives up what never settles, and says what that was', async () => {
    await expect(withDeadline(5, 'the log', never)).rejects.toThrow(Overdue)
    await expect(withDeadline(5, 'the log', never)).rejects.toThrow(
      'the log: no answer within 5 ms',
    )
  })
})

describe('eachWithin', () => {
  it('yields all that comes, and gives up a source that hangs behind it', async () => {
    async function* hanging() {
      yield 1
      yield 2
      await never
    }
    const seen: number[] = []
    const reading = async () => {
      for await (const item of eachWithin(50, 'the log', hanging())) seen.push(item)
    }
    await expect(reading()).rejects.toThrow(Overdue)
    expect(seen).toEqual([1, 2])
  })

  it('ends where the source does', async () => {
    async function* two() {
      yield 1
      yield 2
    }
    const seen: number[] = []
    for await (const item of eachWithin(10_000, 'the log', two())) seen.push(item)
    expect(seen).toEqual([1, 2])
  })
})
