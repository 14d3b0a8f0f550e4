// Random bytes in advance: never the same twice, and nobody's are changed by who comes later.
import { describe, expect, it } from 'vitest'
import { randomSupply } from '../../src/kit/randomSupply.ts'

describe('a supply of random bytes', () => {
  it('gives as many as are wanted, others each time', () => {
    const take = randomSupply(12)
    const taken = Array.from({ length: 2_000 }, take)
    expect(new Set(taken.map(({ length }) => length))).toEqual(new Set([12]))
    expect(new Set(taken.map(bytes => bytes.toString('hex'))).size).toBe(taken.length)
  })

  it('leaves what it has given as it was', () => {
    const take = randomSupply(16)
    const first = take()
    const before = first.toString('hex')
    for (let n = 0; n < 1_000; n += 1) take()
    expect(first.toString('hex')).toBe(before)
  })
})
