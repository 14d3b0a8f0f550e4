// Snapshots: the state of a long stream at one of its events, so that it need not be read from its
// beginning. A snapshot that cannot be used is ignored, and the log is read instead.

import type { Aggregate, DomainEvent } from '../../domain/kernel/aggregate.ts'
import { parsePosition } from '../../kit/position.ts'
import type { Snapshot, Snapshots } from '../../ports/caches.ts'
import { type EventStore, readStream } from '../../ports/eventStore.ts'
import type { Loaded } from './plan.ts'
import { type Archive, commandsMax, ProcessedCommands } from './processedCommands.ts'

/** Events between two snapshots of a stream. */
export const snapshotEvery = 2_000

interface Written {
  state: unknown
  position: string
  correlationId: string | null
  handled: [id: string, digest: string | null, revision: number, position: string][]
  /** Older commands, in base64; releases that forgot them wrote none. */
  archives?: [from: number, to: number, marks: string][]
}

interface SnapshotState<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: EventStore
  snapshots: Snapshots | undefined
  /** Processed commands of a stream in memory. */
  commandsMax?: number | undefined
}

/** The newest snapshot of a stream, if the log still has its event. */
export async function loadSnapshot<State, Event extends DomainEvent>(
  { aggregate, eventStore, snapshots, commandsMax: max = commandsMax }: SnapshotState<State, Event>,
  stream: string,
): Promise<Loaded<State> | undefined> {
  const form = aggregate.snapshot
  if (snapshots === undefined || form === undefined) return undefined
  const found = await snapshots.find(stream)
  if (found === undefined || found.version !== form.version) return undefined
  if ((await eventAt(eventStore, stream, found.revision))?.id !== found.eventId) return undefined
  const written: Written = JSON.parse(found.written)
  const { state: text, position, correlationId, handled, archives } = written
  if (archives === undefined && found.revision + 1 >= max) return undefined
  const state = form.read(text)
  if (state === undefined) return undefined
  const seen = new ProcessedCommands(max, archives?.map(readArchive))
  for (const [id, digest, revision, at] of handled) {
    seen.add(id, { digest: digest ?? undefined, revision, position: parsePosition(at) })
  }
  return {
    state,
    revision: found.revision,
    position: parsePosition(position),
    correlationId: correlationId ?? undefined,
    processed: seen,
  }
}

function readArchive([from, to, marks]: [number, number, string]): Archive {
  const bytes = Uint8Array.from(Buffer.from(marks, 'base64'))
  return { from, to, marks: new Uint32Array(bytes.buffer) }
}

/** Whether a multiple of `snapshotEvery` lies between two revisions. */
export function isSnapshotDue(before: number, after: number): boolean {
  return Math.floor((after + 1) / snapshotEvery) > Math.floor((before + 1) / snapshotEvery)
}

/** Stores a snapshot; it is not awaited, and may fail. */
export async function takeSnapshot<State, Event extends DomainEvent>(
  { aggregate, eventStore, snapshots }: SnapshotState<State, Event>,
  stream: string,
  loaded: Loaded<State>,
): Promise<void> {
  const form = aggregate.snapshot
  if (snapshots === undefined || form === undefined) return
  const { state, revision, position, correlationId, processed: handled } = loaded
  const seen = [...handled].filter(([, command]) => command.revision <= revision)
  const written: Written = {
    state: form.write(state),
    position: String(position),
    correlationId: correlationId ?? null,
    handled: seen.map(([id, { digest, revision: at, position: where }]) => [
      id,
      digest ?? null,
      at,
      String(where),
    ]),
    archives: handled.archives.map(({ from, to, marks }) => [
      from,
      to,
      Buffer.from(marks.buffer).toString('base64'),
    ]),
  }
  const event = await eventAt(eventStore, stream, revision)
  if (event === undefined) return
  const snapshot: Snapshot = {
    revision,
    eventId: event.id,
    version: form.version,
    written: JSON.stringify(written),
  }
  await snapshots.keep(stream, snapshot)
}

async function eventAt(eventStore: EventStore, stream: string, revision: number) {
  for await (const event of readStream(eventStore, stream, { from: revision, to: revision })) {
    return event
  }
  return undefined
}
