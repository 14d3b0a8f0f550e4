// The log as rebuilds read it: decoded, in batches, up to a position.

import { decodeAll } from '../../commands/core/decoding.ts'
import type { Position } from '../../kit/position.ts'
import type { Codec } from '../../ports/codec.ts'
import { BrokenStream, passes, type RecordedEvent } from '../../ports/eventStore.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { Batch } from '../../projections/core/engine.ts'
import { filterFor } from '../../projections/core/items.ts'
import type { Projection } from '../../projections/core/projection.ts'
import type { LogStreams, RebuildContext } from '../../projections/rebuild/context.ts'
import { createStreamCensus, type StreamCensus } from '../../projections/rebuild/streamCensus.ts'
import { readAhead } from './readAhead.ts'

export interface LogParts {
  eventStore: EventLog
  codec: Codec
}

/**
 * Larger than when following: more events of one key fold into one write. With 4,000 a full rebuild
 * takes 20 MB more memory and is no faster; with 2,500 it is slower.
 */
const batchSize = 3_000

/** The log for rebuilds. */
export function rebuildLog(parts: LogParts): Pick<RebuildContext, 'head' | 'read' | 'streams'> {
  const census = createStreamCensus()
  return {
    head: () => parts.eventStore.head(),
    read: (projections, range) => readAhead(readBatches(parts, projections, { ...range, census })),
    streams: logStreams(parts.eventStore, census),
  }
}

function logStreams(eventStore: EventLog, census: StreamCensus): LogStreams {
  return {
    census,
    async complete(upTo, signal) {
      const after = census.position()
      if (after >= upTo) return
      for await (const event of eventStore.readAll({ after })) {
        signal?.throwIfAborted()
        if (event.position > upTo) break
        census.see(event)
      }
      census.reached(upTo)
    },
    async faultOf(stream) {
      try {
        await eventStore.read([{ stream, after: -1 }])
        return undefined
      } catch (error) {
        if (error instanceof BrokenStream) return error.fault
        throw error
      }
    },
    streamHeads: streams => eventStore.streamHeads(streams),
  }
}

interface Range {
  after: Position
  upTo?: Position
  /** Counts every event, so that all are read, not only those that pass the filter. */
  census?: StreamCensus
}

/** The events that projections read, in batches, after a position and up to another or the head. */
export async function* readBatches(
  { eventStore, codec }: LogParts,
  projections: readonly Projection[],
  { after, upTo, census }: Range,
): AsyncGenerator<Batch> {
  await eventStore.assertOwn?.()
  const end = upTo ?? (await eventStore.head())
  if (after >= end) return
  const filter = filterFor(projections)
  const counting = census !== undefined && after <= census.position() ? census : undefined
  let events: RecordedEvent[] = []
  for await (const event of eventStore.readAll(counting ? { after } : { after, filter })) {
    if (event.position > end) break
    counting?.see(event)
    if (counting !== undefined && !passes(filter, event)) continue
    events.push(event)
    if (events.length >= batchSize) {
      yield { items: await decodeAll(codec, events), position: event.position }
      events = []
    }
  }
  counting?.reached(end)
  yield { items: await decodeAll(codec, events), position: end }
}
