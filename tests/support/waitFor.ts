// Waiting for a condition with a deadline, in place of sleeping.
import { setTimeout as pause } from 'node:timers/promises'

/** Asks every 20 ms until the answer is not undefined or false; throws after `withinMs`. */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== null && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await pause(20)
  }
}
