// What a repository of aggregates offers to commands, and what it is made from.
import type { Decision, DomainEvent } from '../../domain/kernel/aggregate.ts'
import type { CacheFactory, Snapshots } from '../../ports/caches.ts'
import type { Codec } from '../../ports/codec.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { EventStore } from '../../ports/eventStore.ts'
import type { Fingerprint } from '../../ports/requests.ts'
import type { Idempotency, Loaded, Outcome } from './plan.ts'
import type { ProcessedCommand } from './processedCommands.ts'

export interface Repository<State, Event extends DomainEvent> {
  /** The state at the end of the stream as the log has it now. */
  load(id: string): Promise<Loaded<State>>
  /** What the log has of commands to this stream, however long ago they were. */
  processed(
    id: string,
    commandIds: readonly string[],
  ): Promise<ReadonlyMap<string, ProcessedCommand>>
  /** What this process remembers of it, however old: for guessing what will be asked for next. */
  cached(id: string): State | undefined
  /** Evicts a state that is not needed again soon. */
  evict(id: string): void
  /**
   * Decides against the newest state and appends what was decided. Decisions on one stream in one
   * process queue and are written together; a conflict with another process is decided anew.
   * Throws Unavailable when the store cannot be reached.
   */
  decide(
    id: string,
    envelope: Envelope,
    decide: (state: State, revision: number) => Decision<Event>,
    options?: DecideOptions,
  ): Promise<Outcome<State>>
}

export interface DecideOptions {
  /** How a repeat is recognised; by `key` where it is left out. */
  idempotency?: Idempotency
  /** The stream is expected to be empty: it is read only where it turns out not to be. */
  isNew?: boolean
}

export interface RepositoryParts {
  eventStore: EventStore
  codec: Codec
  cache: CacheFactory
  fingerprint: Fingerprint
  /** Without them long streams are read from their beginning. */
  snapshots?: Snapshots
  /** Processed commands of a stream in memory; older ones are looked up in the stream. */
  commandsMax?: number
}
