// Aggregates by stream: folded from the log, kept warm, decided one after the other.
import { type Aggregate, type Decision, type DomainEvent, fold } from '../domain/aggregate.ts'
import { isRejection } from '../domain/rejection.ts'
import { type EventStore, type NewEvent, Unavailable, WrongRevision } from '../eventstore/port.ts'
import {
  afterWrite,
  emptyStream,
  type Loaded,
  type Outcome,
  type Plan,
  planBatch,
  remember,
  type Waiting,
} from './plan.ts'
import type { Cache, CacheFactory, Codec, Envelope, Fingerprint, Stored } from './ports.ts'

export interface Repository<State, Event extends DomainEvent> {
  /** The state at the end of the stream as the log has it now. */
  load(id: string): Promise<Loaded<State>>
  /**
   * Decides against the newest state and appends what was decided. Decisions on one stream in one
   * process queue and are written together; a conflict with another process is decided anew.
   * Throws Unavailable when the store cannot be reached.
   */
  decide(
    id: string,
    envelope: Envelope,
    decide: (state: State, revision: number) => Decision<Event>,
  ): Promise<Outcome<State>>
}

const batchMax = 256
const attemptsMax = 8

export interface RepositoryParts {
  eventStore: EventStore
  codec: Codec
  cache: CacheFactory
  fingerprint: Fingerprint
}

/** What the functions below work on: a kind of aggregate, its cache, who waits on a stream. */
interface Kind<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: EventStore
  codec: Codec
  fingerprint: Fingerprint
  cache: Cache<Loaded<State>>
  queues: Map<string, Waiting<State, Event>[]>
}

/** The repository of one kind of aggregate. */
export function createRepository<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  { eventStore, codec, cache, fingerprint }: RepositoryParts,
): Repository<State, Event> {
  const kind: Kind<State, Event> = {
    aggregate,
    eventStore,
    codec,
    fingerprint,
    cache: cache<Loaded<State>>(),
    queues: new Map(),
  }
  return {
    load: id => refresh(kind, `${aggregate.category}-${id}`),
    decide: (id, envelope, decide) =>
      new Promise((resolve, reject) => {
        enqueue(kind, `${aggregate.category}-${id}`, { envelope, decide, resolve, reject })
      }),
  }
}

/** Reads what the cache does not have yet; the tail is always read. */
async function refresh<State, Event extends DomainEvent>(
  { aggregate, eventStore, codec, cache }: Kind<State, Event>,
  stream: string,
): Promise<Loaded<State>> {
  const known = cache.get(stream) ?? emptyStream(aggregate)
  const events: Stored<Event>[] = []
  for await (const recorded of eventStore.readStream(stream, { from: known.revision + 1 })) {
    events.push(await codec.decodeFor<Event>(aggregate, recorded))
  }
  const last = events.at(-1)
  if (last === undefined) {
    // That there is nothing yet is worth knowing, too: whoever writes next need not look again.
    if (cache.get(stream) === undefined) cache.set(stream, known)
    return known
  }
  const loaded = {
    state: fold(aggregate, events, known.state),
    revision: last.revision,
    position: last.position,
    correlationId: known.correlationId ?? events[0]?.correlationId,
    handled: remember(known.handled, events),
  }
  // A slow read must not put an older state in the place of a newer one.
  if ((cache.get(stream)?.revision ?? -1) < loaded.revision) cache.set(stream, loaded)
  return loaded
}

function enqueue<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  waiting: Waiting<State, Event>,
): void {
  const queue = kind.queues.get(stream)
  if (queue !== undefined) {
    queue.push(waiting)
    return
  }
  const fresh = [waiting]
  kind.queues.set(stream, fresh)
  void work(kind, stream, fresh)
}

async function work<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  queue: Waiting<State, Event>[],
): Promise<void> {
  while (queue.length > 0) await settleAll(kind, stream, queue.splice(0, batchMax))
  kind.queues.delete(stream)
}

/** Settles every member of a batch, whatever happens. */
async function settleAll<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  batch: Waiting<State, Event>[],
): Promise<void> {
  try {
    await settle(kind, stream, batch)
  } catch (error) {
    kind.cache.delete(stream)
    if (batch.length === 1 || error instanceof Unavailable) {
      for (const waiting of batch) waiting.reject(error)
    } else {
      // A command that breaks a rule of the storage format must not take its neighbours with it.
      for (const waiting of batch) await settleAll(kind, stream, [waiting])
    }
  }
}

async function settle<State, Event extends DomainEvent>(
  kind: Kind<State, Event>,
  stream: string,
  batch: Waiting<State, Event>[],
): Promise<void> {
  const cached = kind.cache.get(stream)
  let current = cached ?? (await refresh(kind, stream))
  let isCertain = cached === undefined
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const plan = planBatch(kind, current, batch)
    if (plan.events.length > 0) {
      if (await write(kind, stream, current, plan)) return
    } else if (isCertain) {
      for (const { waiting, outcome } of plan.commands) waiting.resolve(outcome)
      return
    }
    // A refusal must rest on the newest state, not on what this process remembers.
    current = await refresh(kind, stream)
    isCertain = true
  }
  throw new Unavailable(`too many writers on ${stream}`)
}

/** Appends what was planned; false when somebody else was there first. */
async function write<State, Event extends DomainEvent>(
  { eventStore, codec, cache }: Kind<State, Event>,
  stream: string,
  current: Loaded<State>,
  plan: Plan<State, Event>,
): Promise<boolean> {
  const encoded: NewEvent[] = []
  for (const { event, id, envelope } of plan.events) {
    encoded.push(await codec.encode(event, id, envelope))
  }
  const expected = current.revision < 0 ? 'no-stream' : current.revision
  try {
    const { position } = await eventStore.append(stream, expected, encoded)
    cache.set(stream, afterWrite(current, plan, position))
    for (const { waiting, outcome, lastEvent } of plan.commands) {
      waiting.resolve(lastEvent < 0 || isRejection(outcome) ? outcome : { ...outcome, position })
    }
    return true
  } catch (error) {
    if (error instanceof WrongRevision) return false
    throw error
  }
}
