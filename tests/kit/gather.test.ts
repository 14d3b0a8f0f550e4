// Questions that share a round trip: each gets its own answer, and no answer is older than it.
import { describe, expect, it, vi } from 'vitest'
import { createBatchLoader } from '../../src/kit/batchLoader.ts'
import { createSingleFlight } from '../../src/kit/singleFlight.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

/** Runs each of them by itself, as the event loop does with what it has heard in one turn. */
function inOneTurn<Result>(parts: readonly (() => Promise<Result>)[]): Promise<Result[]> {
  return Promise.all(
    parts.map(part => new Promise<Result>(resolve => setImmediate(() => part().then(resolve)))),
  )
}

/** Answers twice the number, and notes what was asked together. */
function doubling(max?: number) {
  const asked: number[][] = []
  const ask = createBatchLoader<number, number | undefined>(async questions => {
    asked.push([...questions])
    await Promise.resolve()
    return questions.map(question => (question === 13 ? undefined : question * 2))
  }, max)
  return { ask, asked }
}

describe('questions of the same turn', () => {
  it('are asked together, and each gets its own answer, even where that is nothing', async () => {
    const { ask, asked } = doubling()
    expect(await Promise.all([ask(1), ask(13), ask(3)])).toEqual([2, undefined, 6])
    expect(asked).toEqual([[1, 13, 3]])
  })

  it('are asked together also where each came by itself, as requests do', async () => {
    const { ask, asked } = doubling()
    const questions = [1, 2, 3].map(question => () => ask(question))
    expect(await inOneTurn(questions)).toEqual([2, 4, 6])
    expect(asked).toEqual([[1, 2, 3]])
  })

  it('are asked in parts where they are too many', async () => {
    const { ask, asked } = doubling(2)
    expect(await Promise.all([1, 2, 3, 4, 5].map(ask))).toEqual([2, 4, 6, 8, 10])
    expect(asked).toEqual([[1, 2], [3, 4], [5]])
  })
})

describe('questions that come while others are under way', () => {
  it('wait for the next round trip and share it', async () => {
    const { ask, asked } = doubling()
    const first = ask(1)
    await turn()
    const later = [ask(2), ask(3)]
    expect(await Promise.all([first, ...later])).toEqual([2, 4, 6])
    expect(asked).toEqual([[1], [2, 3]])
  })
})

describe('a round trip that fails', () => {
  it('fails each of its questions, and none of the next', async () => {
    let isBroken = true
    const ask = createBatchLoader<number, number>(async questions => {
      if (isBroken) throw new Error('gone')
      return [...questions]
    })
    const failed = await Promise.allSettled([ask(1), ask(2)])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    isBroken = false
    expect(await ask(3)).toBe(3)
  })

  it('is one that does not answer every question', async () => {
    const ask = createBatchLoader<number, number>(async () => [1])
    const failed = await Promise.allSettled([ask(1), ask(2)])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })
})

describe('what is the same for everybody', () => {
  /** Answers how often it has been asked, once it is told to. */
  function counting() {
    const answers: (() => void)[] = []
    const ask = createSingleFlight(
      () => new Promise<number>(resolve => answers.push(() => resolve(answers.length))),
    )
    return {
      ask,
      hasBeenAsked: (times: number) => vi.waitFor(() => expect(answers).toHaveLength(times)),
      answer: () => answers.at(-1)?.(),
    }
  }

  it('is asked once for all of the same turn, in whichever part of it they come', async () => {
    let times = 0
    const ask = createSingleFlight(async () => {
      times += 1
      await turn()
      return times
    })
    expect(await inOneTurn([ask, ask, ask])).toEqual([1, 1, 1])
  })

  it('is asked again for those who come meanwhile, once it has been answered', async () => {
    const { ask, hasBeenAsked, answer } = counting()
    const first = ask()
    await hasBeenAsked(1)
    const later = [ask(), ask()]
    await turn()
    await hasBeenAsked(1)
    answer()
    await hasBeenAsked(2)
    answer()
    expect(await Promise.all([first, ...later])).toEqual([1, 2, 2])
  })

  it('fails for those who shared it, and not for the next', async () => {
    let isBroken = true
    const ask = createSingleFlight(async () => {
      if (isBroken) throw new Error('gone')
      return 'there'
    })
    const failed = await Promise.allSettled([ask(), ask()])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    isBroken = false
    expect(await ask()).toBe('there')
  })
})
