// Gathers questions that come while others are under way, so that they share the next round trip.
//
// What is asked for waits until the event loop has heard all who have something to say now. What
// has come together is read one request after the other: were the first to leave alone, all the
// others would wait for its answer.
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
 */
export function createBatchLoader<Question, Answer>(
  askAll: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  max = 500,
): (question: Question) => Promise<Answer> {
  const waiting: PendingQuestion<Question, Answer>[] = []
  let isFlying = false

  async function fly() {
    isFlying = true
    while (waiting.length > 0) {
      await endOfTurn()
      await settle(waiting.splice(0, max))
    }
    isFlying = false
  }

  async function settle(batch: PendingQuestion<Question, Answer>[]) {
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
      waiting.push({ question, resolve, reject })
      if (!isFlying) void fly()
    })
}

/**
 * A function that asks what is the same for everybody: who asks while it is being asked shares the
 * next time, so that nobody gets an answer to what was asked before they came.
 */
export function createSingleFlight<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<Answer> | undefined
  return () => {
    if (next !== undefined) return next
    const begin = async () => {
      await endOfTurn()
      next = undefined
      return ask()
    }
    next = last.then(begin, begin)
    last = next
    return next
  }
}
