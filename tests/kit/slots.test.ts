// So many at once, in the order of asking, whatever becomes of each.
import { describe, expect, it } from 'vitest'
import { createSemaphore } from '../../src/kit/semaphore.ts'

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { promise, resolve, reject }
}

describe('slots', () => {
  it('let so many in at once, and the others in the order of asking', async () => {
    const slots = createSemaphore(2)
    const works = [held(), held(), held(), held()]
    const begun: number[] = []
    const done = works.map((work, nth) =>
      slots.take(() => {
        begun.push(nth)
        return work.promise
      }),
    )
    await Promise.resolve()
    expect(begun).toEqual([0, 1])
    works[1]?.resolve()
    await done[1]
    expect(begun).toEqual([0, 1, 2])
    works[0]?.resolve()
    await done[0]
    expect(begun).toEqual([0, 1, 2, 3])
    for (const { resolve } of works) resolve()
    await Promise.all(done)
  })

  it('are free again when work has failed, and tell whose it was', async () => {
    const slots = createSemaphore(1)
    const failing = slots.take(() => Promise.reject(new Error('no')))
    const next = slots.take(async () => 'done')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('done')
    expect(await slots.take(async () => 'again')).toBe('again')
  })
})
