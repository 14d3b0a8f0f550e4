// Streams that cannot be read: a decision that is in the log stands, and the steps after it wait.
import type { DomainEvent } from '../../domain/kernel/aggregate.ts'
import { PoisonEvent } from '../../ports/codec.ts'
import { BrokenStream } from '../../ports/eventStore.ts'
import type { Repository } from './repositoryTypes.ts'

/** Why a stream cannot be read: it is not whole, or holds what this release does not know. */
export type Unreadable = BrokenStream | PoisonEvent

/** Whether an error says that a stream cannot be read. */
export function isUnreadable(error: unknown): error is Unreadable {
  return error instanceof BrokenStream || error instanceof PoisonEvent
}

/**
 * The result of a step on another stream, or why that stream cannot be read. For steps that follow
 * from a decision in the log: their error must not be the answer to that decision.
 */
export async function unlessUnreadable<T>(step: Promise<T>): Promise<T | Unreadable> {
  try {
    return await step
  } catch (error) {
    if (isUnreadable(error)) return error
    throw error
  }
}

/** The state at the end of a stream; undefined where that stream cannot be read. */
export async function readableState<State, Event extends DomainEvent>(
  repository: Repository<State, Event>,
  id: string,
): Promise<State | undefined> {
  const loaded = await unlessUnreadable(repository.load(id))
  return isUnreadable(loaded) ? undefined : loaded.state
}
