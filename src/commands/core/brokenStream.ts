// Steps on other streams, one of which may be broken: what has been decided stands nevertheless.
import { PoisonEvent } from '../../ports/codec.ts'
import { BrokenStream } from '../../ports/eventStore.ts'

/** Why a stream cannot be read: it is not whole, or holds what this release does not know. */
export type Unreadable = BrokenStream | PoisonEvent

/** Whether nothing but a stream that cannot be read was in the way. */
export function isUnreadable(error: unknown): error is Unreadable {
  return error instanceof BrokenStream || error instanceof PoisonEvent
}

/**
 * What a step on another stream has come to, or why that stream cannot be read. For what follows
 * from a decision that is in the log already: the error must not be the answer to that decision.
 */
export async function unlessUnreadable<T>(step: Promise<T>): Promise<T | Unreadable> {
  try {
    return await step
  } catch (error) {
    if (isUnreadable(error)) return error
    throw error
  }
}
