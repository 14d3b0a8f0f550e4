// Batch loader: questions that are asked while others are under way share the next round trip.
import { setImmediate as endOfTurn } from 'node:timers/promises'

interface PendingQuestion<Question, Answer> {
  question: Question
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * A function that answers one question by asking up to `max` at a time. `askAll` gives the answers
 * in the order of the questions; when it throws, each of them has failed. A question is never asked
 * before it was put, so its answer is as new as if it had been asked alone.
 *
 * A batch leaves at the end of a turn of the event loop: requests that arrived together are read
 * one after the other, and if the first left alone, all others would wait for its answer.
 */
export function createBatchLoader<Question, Answer>(
  askAll: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  max = 500,
): (question: Question) => Promise<Answer> {
  const pending: PendingQuestion<Question, Answer>[] = []
  let isRunning = false

  async function run() {
    isRunning = true
    while (pending.length > 0) {
      await endOfTurn()
      await answer(pending.splice(0, max))
    }
    isRunning = false
  }

  async function answer(batch: PendingQuestion<Question, Answer>[]) {
    try {
      const answers = await askAll(batch.map(({ question }) => question))
      if (answers.length !== batch.length) throw new Error('not every question was answered')
      for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return question =>
    new Promise((resolve, reject) => {
      pending.push({ question, resolve, reject })
      if (!isRunning) void run()
    })
}

/** A look-up of one key by a query for up to `max`; each key is in a query once. */
export function createKeyLoader<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  max?: number,
): (key: string) => Promise<Value | undefined> {
  const pending = new Map<string, Promise<Value | undefined>>()
  const ask = createBatchLoader(async (keys: readonly string[]) => {
    for (const key of keys) pending.delete(key)
    const found = await load(keys)
    return keys.map(key => found.get(key))
  }, max)
  return key => {
    const known = pending.get(key)
    if (known !== undefined) return known
    const answer = ask(key)
    pending.set(key, answer)
    return answer
  }
}
