// Aggregates by stream: folded from the log, cached, commands decided one after the other.
import type { Aggregate, DomainEvent } from '../../domain/kernel/aggregate.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import { createDictionary } from '../../kit/dictionary.ts'
import { createKeyedSingleFlight } from '../../kit/singleFlight.ts'
import { isTransient } from '../../kit/transient.ts'
import type { Cache, Snapshots } from '../../ports/caches.ts'
import type { Codec } from '../../ports/codec.ts'
import {
  type EventStore,
  type NewEvent,
  Unavailable,
  WrongRevision,
} from '../../ports/eventStore.ts'
import type { Fingerprint } from '../../ports/requests.ts'
import { findArchived, findProcessed, sought } from './archivedCommands.ts'
import { catchUp } from './catchUp.ts'
import {
  afterWrite,
  emptyStream,
  type Loaded,
  type PendingCommand,
  type Plan,
  planBatch,
} from './plan.ts'
import type { Repository, RepositoryParts } from './repositoryTypes.ts'
import { isSnapshotDue, loadSnapshot, snapshotEvery, takeSnapshot } from './snapshots.ts'

const batchMax = 256
const attemptsMax = 8

/** A kind of aggregate with its cache and its queues of pending commands. */
interface Kind<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: EventStore
  codec: Codec
  fingerprint: Fingerprint
  cache: Cache<Loaded<State>>
  snapshots: Snapshots | undefined
  commandsMax: number | undefined
  queues: Partial<Record<string, PendingCommand<State, Event>[]>>
  /** The state at the end of a stream, for all that ask for it at the same time. */
  load(stream: string): Promise<Loaded<State>>
}

/** The repository of one kind of aggregate. */
export function createRepository<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  { eventStore, codec, cache, fingerprint, snapshots, commandsMax }: RepositoryParts,
): Repository<State, Event> {
  const kind: Kind<State, Event> = {
    aggregate,
    eventStore,
    codec,
    fingerprint,
    cache: cache<Loaded<State>>(),
    snapshots,
    commandsMax,
    queues: createDictionary(),
    load: createKeyedSingleFlight(stream => loadEnd(kind, stream)),
  }
  return {
    load: id => kind.load(`${aggregate.category}-${id}`),
    async processed(id, commandIds) {
      const stream = `${aggregate.category}-${id}`
      return findProcessed(kind, stream, { ...(await kind.load(stream)), commandIds })
    },
    cached: id => kind.cache.get(`${aggregate.category}-${id}`)?.state,
    evict: id => kind.cache.delete(`${aggregate.category}-${id}`),
    decide: (id, envelope, decide, { idempotency = 'key', isNew = false } = {}) =>
      new Promise((resolve, reject) => {
        const command = { envelope, decide, idempotency, isNew, resolve, reject }
        enqueue(kind, `${aggregate.category}-${id}`, command)
      }),
  }
}

/** Catches up with a stream from the state in the cache, or from a snapshot. */
async function loadEnd<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
): Promise<Loaded<State>> {
  const { aggregate, cache, commandsMax } = kind
  const known = cache.get(stream) ?? emptyStream(aggregate, commandsMax)
  const isNew = known.revision < 0 && aggregate.snapshot !== undefined
  const begun = await catchUp(kind, stream, known, isNew ? snapshotEvery : undefined)
  const isLong = isNew && begun.revision + 1 >= snapshotEvery
  const loaded = isLong
    ? await catchUp(kind, stream, (await loadSnapshot(kind, stream)) ?? begun)
    : begun
  // A slow read must not replace a newer state by an older one. An empty stream is cached, too: the
  // next append to it need not read.
  const before = cache.get(stream)
  if (before === undefined || before.revision < loaded.revision) {
    cacheState(kind, stream, { before: before?.revision ?? -1, loaded })
  }
  return loaded
}

/** Caches the state of a stream; a long one leaves a snapshot every `snapshotEvery` events. */
function cacheState<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  { before, loaded }: { before: number; loaded: Loaded<State> },
): void {
  kind.cache.set(stream, loaded)
  if (!isSnapshotDue(before, loaded.revision)) return
  // Without it the next process reads more, and nothing else is lost.
  takeSnapshot(kind, stream, loaded).catch(() => undefined)
}

function enqueue<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  waiting: PendingCommand<State, Event>,
): void {
  const queue = kind.queues[stream]
  if (queue !== undefined) {
    queue.push(waiting)
    return
  }
  const fresh = [waiting]
  kind.queues[stream] = fresh
  void work(kind, stream, fresh)
}

async function work<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  queue: PendingCommand<State, Event>[],
): Promise<void> {
  while (queue.length > 0) {
    const batch = queue.splice(0, batchMax)
    try {
      await settle(kind, stream, batch)
    } catch (error) {
      await failPending(kind, stream, batch, error)
    }
  }
  delete kind.queues[stream]
}

/** Settles every member of a batch that could not be settled together. */
async function failPending<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  batch: readonly PendingCommand<State, Event>[],
  error: unknown,
): Promise<void> {
  kind.cache.delete(stream)
  if (batch.length === 1 || isTransient(error)) {
    for (const waiting of batch) waiting.reject(error)
    return
  }
  // A command that breaks a rule of the storage format must not take its neighbours with it.
  for (const waiting of batch) {
    await settle(kind, stream, [waiting]).catch(cause =>
      failPending(kind, stream, [waiting], cause),
    )
  }
}

async function settle<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  batch: PendingCommand<State, Event>[],
): Promise<void> {
  const believed = kind.cache.get(stream) ?? newStream(kind, batch)
  let current = believed ?? (await kind.load(stream))
  let isCertain = believed === undefined
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const commands = batch.map(command => sought(command, attempt))
    const archived = await findArchived(kind, stream, { processed: current.processed, commands })
    const plan = planBatch(kind, current, batch, archived)
    if (plan.events.length > 0) {
      if (await write(kind, stream, current, plan)) return
    } else if (isCertain) {
      for (const { command, outcome } of plan.commands) command.resolve(outcome)
      return
    }
    // A refusal must rest on the newest state, not on what this process remembers.
    current = await kind.load(stream)
    isCertain = true
  }
  throw new Unavailable(`too many writers on ${stream}`)
}

/** The empty state, where every command of the batch expects a new stream. */
function newStream<State, Event extends DomainEvent>(
  { aggregate, commandsMax }: Kind<State, Event>,
  batch: readonly PendingCommand<State, Event>[],
): Loaded<State> | undefined {
  return batch.every(({ isNew }) => isNew) ? emptyStream(aggregate, commandsMax) : undefined
}

/**
 * Appends what was planned; false when another process was there first. A state is only cached when
 * it was folded from every event up to its revision: after a repeated append, others may have
 * written since, so the stream is read again, which also finds the first answer of its commands.
 */
async function write<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  current: Loaded<State>,
  plan: Plan<State, Event>,
): Promise<boolean> {
  const { eventStore, codec, aggregate } = kind
  const owner = aggregate.owner?.(plan.state)
  const asked = plan.events.map(each =>
    codec.encode(each.event, each.id, each.command.envelope, owner),
  )
  const ready = asked.filter((event): event is NewEvent => !(event instanceof Promise))
  const encoded = ready.length === asked.length ? ready : await Promise.all(asked)
  const expected = current.revision < 0 ? 'no-stream' : current.revision
  try {
    const { revision, position, repeated } = await eventStore.append(stream, expected, encoded)
    if (repeated || revision !== current.revision + encoded.length) {
      kind.cache.delete(stream)
      return false
    }
    const loaded = afterWrite(current, plan, position)
    cacheState(kind, stream, { before: current.revision, loaded })
    for (const { command, outcome, lastEvent } of plan.commands) {
      command.resolve(lastEvent < 0 || isRejection(outcome) ? outcome : { ...outcome, position })
    }
    return true
  } catch (error) {
    if (error instanceof WrongRevision) return false
    throw error
  }
}
