// Processed commands that are no longer in memory: they are looked up in the stream itself.
import type { Aggregate, DomainEvent } from '../../domain/kernel/aggregate.ts'
import type { Codec } from '../../ports/codec.ts'
import { type EventStore, readStream } from '../../ports/eventStore.ts'
import type { PendingCommand } from './plan.ts'
import type { Archive, ProcessedCommand, ProcessedCommands } from './processedCommands.ts'

interface Reading<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: Pick<EventStore, 'read'>
  codec: Codec
}

interface Asked {
  commandId: string
  /** No repeat of it can come. */
  once?: true
}

/** A command without a key is in the log only where the first try of this process has got there. */
export function sought(
  { envelope, idempotency }: Pick<PendingCommand<unknown, DomainEvent>, 'envelope' | 'idempotency'>,
  attempt: number,
): Asked {
  const { commandId } = envelope
  return idempotency === 'none' && attempt === 1 ? { commandId, once: true } : { commandId }
}

/**
 * What a stream says of commands that are archived: mostly no command is, and nothing is read.
 * Throws Unavailable.
 */
export async function findArchived<State, Event extends DomainEvent>(
  reading: Reading<State, Event>,
  stream: string,
  on: { processed: ProcessedCommands; commands: readonly Asked[] },
): Promise<ReadonlyMap<string, ProcessedCommand>> {
  const { aggregate, eventStore, codec } = reading
  const found = new Map<string, ProcessedCommand>()
  if (on.processed.archives.length === 0) return found
  for (const [{ from, to }, wanted] of archivesToSearch(on.processed, on.commands)) {
    for await (const recorded of readStream(eventStore, stream, { from, to })) {
      const event = await codec.decodeFor<Event>(aggregate, recorded)
      if (wanted.has(event.commandId)) found.set(event.commandId, event)
    }
  }
  return found
}

/** What a stream says of some commands, however old. Throws Unavailable. */
export async function findProcessed<State, Event extends DomainEvent>(
  reading: Reading<State, Event>,
  stream: string,
  { processed, commandIds }: { processed: ProcessedCommands; commandIds: readonly string[] },
): Promise<ReadonlyMap<string, ProcessedCommand>> {
  const commands = commandIds.map(commandId => ({ commandId }))
  const found = new Map(await findArchived(reading, stream, { processed, commands }))
  for (const commandId of commandIds) {
    const known = processed.get(commandId)
    if (known !== undefined) found.set(commandId, known)
  }
  return found
}

/** Each archive once, with the commands that may be in it. */
function archivesToSearch(
  processed: ProcessedCommands,
  commands: readonly Asked[],
): Map<Archive, Set<string>> {
  const searches = new Map<Archive, Set<string>>()
  for (const { commandId, once } of commands) {
    if (once) continue
    for (const archive of processed.archivesOf(commandId)) {
      searches.set(archive, (searches.get(archive) ?? new Set()).add(commandId))
    }
  }
  return searches
}
