// Subscriptions to EventStoreDB: in order, without gap or repeat, with a position that is safe.
import { type Position, startOfLog } from '../../kit/position.ts'
import {
  passes,
  type RecordedEvent,
  type SubscribeOptions,
  type SubscriptionBatch,
} from '../../ports/eventStore.ts'
import {
  asLasting,
  type Connection,
  isTransientHere,
  pauseMs,
  RefusedUser,
  rest,
} from './client.ts'
import { head } from './head.ts'
import type { OwnStreams } from './ownStreams.ts'
import { type Feed, openFeed } from './subscriptionQueue.ts'

interface Progress {
  /** Everything up to here that the filter lets through has been delivered. */
  position: Position
  live: boolean
  /** What the last batch said about being live. */
  reportedLive: boolean
  /** False once a server turns out not to say when it has caught up: then it filters nothing. */
  filtered: boolean
  failures: number
  silences: number
}

const defaultBatchSize = 500
/** Silences in a row after which a server is taken not to tell when it has caught up (< 23.10). */
const attemptsMax = 5

/** Follows the log from a position until the signal aborts or the store closes; see the port. */
export async function* subscribe(
  connection: Connection,
  options: SubscribeOptions = {},
): AsyncGenerator<SubscriptionBatch> {
  const ends = [connection.closing, ...(options.signal ? [options.signal] : [])]
  const signal = AbortSignal.any(ends)
  const progress: Progress = {
    position: options.after ?? startOfLog,
    live: false,
    reportedLive: false,
    filtered: true,
    failures: 0,
    silences: 0,
  }
  while (!signal.aborted) {
    try {
      yield* follow({ ...connection, closing: signal }, options, progress)
    } catch (error) {
      if (signal.aborted) return
      const isRefused = asLasting(error) instanceof RefusedUser
      if (!isTransientHere(error) && !isRefused) throw error
      progress.live = false
    }
    await rest(pauseMs(progress.failures++), signal)
  }
}

/** One subscription on the server; ends when it is time to open the next one. */
async function* follow(
  connection: Connection,
  options: SubscribeOptions,
  progress: Progress,
): AsyncGenerator<SubscriptionBatch> {
  // Taken before the subscription starts: once that has caught up, it has passed this position.
  const target = await head(connection)
  const feed = openFeed(connection, progress, options.filter)
  try {
    while (!connection.closing.aborted) {
      const before = progress.position
      const events = take({ feed, own: connection.own }, options, progress, target)
      const end = feed.end()
      const moved = events.length > 0 || progress.position > before
      if (moved || progress.live !== progress.reportedLive) {
        progress.reportedLive = progress.live
        yield { events, position: progress.position, live: progress.live }
      } else if (end !== undefined) {
        progress.live = false
        if (end.reason !== undefined) throw end.reason
        return
      } else if (!(await feed.arrived(connection.idleMs, connection.closing))) {
        if ((await isStuck(connection, progress)) && !feed.hasArrived()) return
      }
    }
  } finally {
    feed.close()
  }
}

/** Takes what is there, one batch at most, and notes how far that brings the subscription. */
function take(
  { feed, own }: { feed: Feed; own: OwnStreams },
  { filter, batchSize = defaultBatchSize }: SubscribeOptions,
  progress: Progress,
  target: Position,
): RecordedEvent[] {
  const events: RecordedEvent[] = []
  while (events.length < batchSize) {
    const step = feed.next()
    if (step === undefined) break
    progress.failures = 0
    if ('checkpoint' in step) {
      advance(progress, step.checkpoint)
    } else if ('live' in step) {
      progress.live = step.live
      if (step.live) advance(progress, target)
    } else {
      const event = own.take(step)
      if (event === undefined) continue
      advance(progress, event.position)
      if (passes(filter, event)) events.push(event)
    }
  }
  if (progress.position >= target) progress.live = true
  return events
}

function advance(progress: Progress, position: Position): void {
  progress.silences = 0
  if (position > progress.position) progress.position = position
}

/**
 * Whether a silent subscription has to be opened anew from its position. In a live filtered
 * subscription the server says nothing about events that do not match until it has seen a few
 * hundred of them; opened anew, it reads that stretch and says that it has caught up.
 */
async function isStuck(connection: Connection, progress: Progress): Promise<boolean> {
  const newest = await head(connection)
  if (newest <= progress.position) {
    progress.live = true
    return false
  }
  if (!progress.filtered) return false
  progress.silences += 1
  if (progress.silences >= attemptsMax) progress.filtered = false
  return progress.live || !progress.filtered
}
