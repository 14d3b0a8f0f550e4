// Turns: nobody is kept waiting by how much somebody else asks for.
import { describe, expect, it } from 'vitest'
import { createFairQueue } from '../../src/kit/fairQueue.ts'
import { createFairSemaphore } from '../../src/kit/fairSemaphore.ts'

const crowded = () => new Error('crowded')

/** Turns whose work ends when the test says so, and the order in which it began. */
function openTurns({ atOnce = 1, each = 10, all = 10 } = {}) {
  const turns = createFairQueue({ atOnce, each, all, crowded })
  const begun: string[] = []
  const running: (() => void)[] = []
  const take = (kind: string, by: string) => {
    const taken = turns.take({ kind, by }, () => {
      begun.push(`${kind}:${by}`)
      return new Promise<string>(resolve => running.push(() => resolve(by)))
    })
    // Whether it is refused is looked at later.
    taken.catch(() => undefined)
    return taken
  }
  const end = async () => {
    running.shift()?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  const settle = () => new Promise(resolve => setImmediate(resolve))
  return { turns, begun, take, end, settle }
}

describe('turns', () => {
  it('go round the callers, however many each of them waits for', async () => {
    const { begun, take, end, settle } = openTurns()
    for (const by of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) void take('x', by)
    await settle()
    for (let time = 0; time < 7; time += 1) await end()
    expect(begun).toEqual(['x:a', 'x:a', 'x:b', 'x:c', 'x:a', 'x:b', 'x:a'])
  })

  it('go round the kinds first, however many callers one of them has', async () => {
    const { begun, take, end, settle } = openTurns()
    for (const by of ['a', 'b', 'c', 'd']) void take('x', by)
    void take('y', 'a')
    void take('y', 'b')
    await settle()
    for (let time = 0; time < 6; time += 1) await end()
    expect(begun).toEqual(['x:a', 'x:b', 'y:a', 'x:c', 'y:b', 'x:d'])
  })

  it('are taken by no more at once than there is room for', async () => {
    const { begun, take, end, settle } = openTurns({ atOnce: 2 })
    for (const by of ['a', 'b', 'c']) void take('x', by)
    await settle()
    expect(begun).toHaveLength(2)
    await end()
    expect(begun).toHaveLength(3)
  })

  it('are bounded for each caller, those that run included', async () => {
    const { take, end, settle } = openTurns({ each: 2 })
    const [first] = [take('x', 'a'), take('x', 'a')]
    await settle()
    await expect(take('x', 'a')).rejects.toThrow('crowded')
    void take('x', 'b')
    await end()
    expect(await first).toBe('a')
    void take('x', 'a')
    await settle()
    await expect(take('x', 'a')).rejects.toThrow('crowded')
  })

  it('of a full kind are taken from whoever waits for the most', async () => {
    const { take, settle } = openTurns({ all: 3 })
    void take('x', 'running')
    await settle()
    const [, , last] = [take('x', 'a'), take('x', 'a'), take('x', 'a')]
    const other = take('x', 'b')
    await expect(last).rejects.toThrow('crowded')
    await expect(take('x', 'a')).rejects.toThrow('crowded')
    const outcome = await Promise.race([other, settle().then(() => 'waits')])
    expect(outcome).toBe('waits')
    expect(await Promise.race([take('y', 'a'), settle().then(() => 'waits')])).toBe('waits')
  })

  it('fail together when it is over, and come again after that', async () => {
    const { turns, begun, take, end, settle } = openTurns()
    void take('x', 'a')
    await settle()
    const waiting = [take('x', 'a'), take('y', 'b')]
    turns.clear(new Error('over'))
    for (const each of waiting) await expect(each).rejects.toThrow('over')
    await end()
    void take('x', 'c')
    await settle()
    expect(begun).toEqual(['x:a', 'x:c'])
  })

  it('are given on when work fails', async () => {
    const { turns, begun, take, settle } = openTurns()
    const broken = turns.take({ kind: 'x', by: 'a' }, () => Promise.reject(new Error('broken')))
    void take('x', 'b')
    await expect(broken).rejects.toThrow('broken')
    await settle()
    expect(begun).toEqual(['x:b'])
  })
})

describe('places', () => {
  /** How many of those who ask one after the other get one. */
  const taken = (
    places: ReturnType<typeof createFairSemaphore>,
    asking: { by: string; from: string; level?: number }[],
  ) => asking.map(each => places.take({ level: 0, ...each })).filter(Boolean).length
  const times = <T>(count: number, each: (n: number) => T) =>
    Array.from({ length: count }, (_, n) => each(n))

  it('are half for one caller alone, so that another finds one', () => {
    const places = createFairSemaphore([10])
    expect(
      taken(
        places,
        times(20, () => ({ by: 'a', from: 'here' })),
      ),
    ).toBe(5)
    expect(
      taken(
        places,
        times(20, () => ({ by: 'b', from: 'there' })),
      ),
    ).toBe(3)
    expect(taken(places, [{ by: 'c', from: 'elsewhere' }])).toBe(1)
  })

  it('are not all for one address, however many callers it has', () => {
    const places = createFairSemaphore([10])
    expect(
      taken(
        places,
        times(20, n => ({ by: `a${n}`, from: 'here' })),
      ),
    ).toBe(9)
    expect(taken(places, [{ by: 'b', from: 'there' }])).toBe(1)
  })

  it('are kept for those of a higher level', () => {
    const places = createFairSemaphore([2, 5])
    const strangers = times(9, n => ({ by: `a${n}`, from: `a${n}` }))
    expect(taken(places, strangers)).toBe(2)
    const customers = times(9, n => ({ by: `b${n}`, from: `b${n}`, level: 1 }))
    expect(taken(places, customers)).toBe(3)
  })

  it('are so many for each at most, and free again once', () => {
    const places = createFairSemaphore([100], 2)
    const ask = () => places.take({ by: 'a', from: 'here', level: 0 })
    const [first] = [ask(), ask()]
    expect(ask()).toBeUndefined()
    first?.()
    first?.()
    expect(ask()).toBeDefined()
    expect(ask()).toBeUndefined()
  })
})
