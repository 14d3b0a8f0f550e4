// Gathers questions that come while others are under way, so that they share the next round trip.

const questionsMax = 500

interface Waiting<Question, Answer> {
  question: Question
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * A function that answers one question by asking many at a time. `askAll` gives the answers in the
 * order of the questions; when it throws, each of them has failed. A question is never asked before
 * it was put, so its answer is as new as if it had been asked alone.
 */
export function gatherReads<Question, Answer>(
  askAll: (questions: readonly Question[]) => Promise<readonly Answer[]>,
): (question: Question) => Promise<Answer> {
  const waiting: Waiting<Question, Answer>[] = []
  let isFlying = false

  async function fly() {
    isFlying = true
    // One tick, so that questions of the same turn of the event loop fly together.
    await Promise.resolve()
    while (waiting.length > 0) await settle(waiting.splice(0, questionsMax))
    isFlying = false
  }

  async function settle(batch: Waiting<Question, Answer>[]) {
    try {
      const answers = await askAll(batch.map(({ question }) => question))
      batch.forEach(({ resolve, reject }, index) => {
        const answer = answers[index]
        if (answer === undefined) reject(new Error('a question was not answered'))
        else resolve(answer)
      })
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
