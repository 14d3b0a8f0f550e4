// A map that never changes answers like one that does.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PersistentMap } from '../../src/domain/kernel/persistentMap.ts'

const change = fc.record({ key: fc.nat(300).map(String), value: fc.option(fc.nat()) })

describe('a persistent map', () => {
  it('comes to what a Map comes to, change by change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 1_500, size: 'max' }), changes => {
        const plain = new Map<string, number>()
        let map = PersistentMap.empty<number>()
        for (const { key, value } of changes) {
          if (value === null) plain.delete(key)
          else plain.set(key, value)
          map = value === null ? map.delete(key) : map.set(key, value)
          expect(map.size).toBe(plain.size)
          expect(map.get(key)).toBe(plain.get(key))
        }
        expect([...map.keys()].toSorted()).toEqual([...plain.keys()].toSorted())
        for (const [key, value] of plain) expect(map.get(key)).toBe(value)
      }),
      { numRuns: 30 },
    )
  })

  it('leaves the one that it came from as it was', () => {
    const keys = Array.from({ length: 5_000 }, (_, n) => `order-${n}`)
    let map = PersistentMap.empty<number>()
    for (const [n, key] of keys.entries()) map = map.set(key, n)
    let emptied = map
    for (const key of keys) emptied = emptied.delete(key)
    expect([map.size, emptied.size]).toEqual([5_000, 0])
    expect([...emptied.keys()]).toEqual([])
    expect(keys.map(key => map.get(key))).toEqual(keys.map((_, n) => n))
    expect(map.delete('order-none')).toBe(map)
  })
})
