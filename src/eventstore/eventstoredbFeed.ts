// One subscription on the EventStoreDB server as a queue of events and notices in the order sent.

import type { AllStreamSubscription, EventStoreDBClient } from '@eventstore/db-client'
import type { Position } from '../kit/position.ts'
import { type ClientEvent, serverFilter, toClientPosition } from './eventstoredbEvents.ts'
import type { EventFilter } from './port.ts'
import { toPosition } from './positionNumbers.ts'

/** What the server says: an event, that it has looked at all up to here, or that it is live. */
export type Step = ClientEvent | { checkpoint: Position } | { live: boolean }

export interface Feed {
  /** The next step, or undefined when none has arrived yet. */
  next(): Step | undefined
  /** Waits for something to arrive; false when nothing did within `ms` or the signal aborted. */
  news(ms: number, signal: AbortSignal): Promise<boolean>
  hasNews(): boolean
  /** Set once nothing more will arrive: with the reason, unless the server just ended it. */
  end(): { reason?: Error } | undefined
  close(): void
}

/** A notice that holds once `after` events have been taken. */
interface Notice {
  after: number
  step: Step
}

/**
 * Opens a subscription behind `position`. The client reports checkpoints and "caught up" while the
 * events before them still wait in its buffer; here they keep their place among the events.
 */
export function openFeed(
  client: EventStoreDBClient,
  { position, filtered }: { position: Position; filtered: boolean },
  filter: EventFilter | undefined,
): Feed {
  const notices: Notice[] = []
  const bell = createBell()
  let taken = 0
  let ending: { reason?: Error } | undefined
  const subscription = client.subscribeToAll({
    fromPosition: toClientPosition(position),
    ...(filtered
      ? {
          filter: serverFilter(filter, (_, { commit }) =>
            notice({ checkpoint: toPosition(commit) }),
          ),
        }
      : {}),
  })
  const notice = (step: Step) => {
    // Everything sent before is either taken or still in the buffer.
    notices.push({ after: taken + subscription.readableLength, step })
    bell.ring()
  }
  const end = (reason?: Error) => {
    ending ??= reason === undefined ? {} : { reason }
    bell.ring()
  }
  hear(subscription, { notice, end, ring: bell.ring })

  const dueNotice = () => {
    const [first] = notices
    return first !== undefined && first.after <= taken ? notices.shift()?.step : undefined
  }
  return {
    next() {
      for (;;) {
        const due = dueNotice()
        if (due !== undefined) return due
        const resolved = subscription.read()
        if (resolved === null) return dueNotice()
        taken += 1
        if (resolved.event !== undefined) return resolved.event
      }
    },
    news: bell.wait,
    hasNews: bell.hasRung,
    end: () => ending,
    close() {
      subscription.unsubscribe().catch(() => undefined)
      // What had arrived by then must flow off, or the client holds on to the call for ever.
      subscription.removeAllListeners('readable')
      subscription.resume()
    },
  }
}

function hear(
  subscription: AllStreamSubscription,
  tell: { notice(step: Step): void; end(reason?: Error): void; ring(): void },
): void {
  subscription.on('caughtUp', () => tell.notice({ live: true }))
  subscription.on('fellBehind', () => tell.notice({ live: false }))
  subscription.on('readable', tell.ring)
  subscription.on('end', () => tell.end())
  subscription.on('close', () => tell.end())
  // Stays for good: an error that comes after the end must not end the process.
  subscription.on('error', (error: Error) => tell.end(error))
}

function createBell() {
  let rung = false
  let answer: (() => void) | undefined
  return {
    ring() {
      rung = true
      answer?.()
    },
    hasRung: () => rung,
    wait(ms: number, signal: AbortSignal): Promise<boolean> {
      return new Promise(resolve => {
        const stop = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', stop)
          answer = undefined
          resolve(rung)
          rung = false
        }
        const timer = setTimeout(stop, rung || signal.aborted ? 0 : ms)
        answer = stop
        signal.addEventListener('abort', stop)
      })
    },
  }
}
