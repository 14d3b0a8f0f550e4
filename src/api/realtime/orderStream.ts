// The order updates of one client: without duplicates and gaps, in the order of the log.
import { type Position, startOfLog } from '../../kit/position.ts'
import type { Notification } from '../../projections/order/orderNotifications.ts'
import type { ApiContext } from '../http/context.ts'
import { messageOf } from './feed.ts'
import type { ServerMessage } from './messages.ts'

/** A client that missed more than this should reload its orders. */
const resumeMax = 1_000

export interface OrderStream {
  send(message: ServerMessage): void
  /** Holds live updates until the client has resumed, or until `release`. */
  hold(): void
  release(): void
  /** Delivers missed updates, then continues live from there. */
  resume(after: Position): Promise<void>
  /** Switches to the orders of all customers. */
  includeAll(): void
  end(): void
}

interface StreamState {
  write(message: ServerMessage): void
  mayReceive(): Promise<boolean>
  /** The customer whose orders are followed; undefined for all. */
  scope: string | undefined
  /** The newest position that was sent, or that the client has reported. */
  last: Position
  /** Everything from here to `last` was sent. */
  since: Position | undefined
  /** Updates that are held while the client catches up. */
  held: Notification[] | undefined
  /** Resumes that are not done yet. */
  pending: number
}

/** A client that follows orders. */
export interface StreamClient {
  customerId: string
  write(message: ServerMessage): void
  /** Whether the client may receive updates now; ends the connection if not. */
  mayReceive(isForAll: boolean): Promise<boolean>
}

/** Follows the orders of a customer for a client. */
export function openStream(context: ApiContext, listener: StreamClient): OrderStream {
  const { customerId, write } = listener
  const at: StreamState = {
    write,
    mayReceive: () => listener.mayReceive(at.scope === undefined),
    scope: customerId,
    last: startOfLog,
    since: undefined,
    held: undefined,
    pending: 0,
  }
  const follow = () =>
    context.feed.subscribe({
      customerId: at.scope,
      mayReceive: at.mayReceive,
      deliver: notification => {
        if (at.held === undefined) deliver(at, notification)
        else at.held.push(notification)
      },
    })
  let resuming: Promise<void> = Promise.resolve()
  let unfollow = follow()
  return {
    send: write,
    hold() {
      at.held ??= []
    },
    release() {
      if (at.pending === 0) releaseHeld(at)
    },
    resume(after) {
      at.held ??= []
      at.pending += 1
      // One after the other: a concurrent one would release what is still held.
      const resumed = resuming.then(() => catchUp(context, at, after))
      resuming = resumed.catch(() => undefined)
      return resumed
    },
    includeAll() {
      unfollow()
      at.scope = undefined
      at.since = undefined
      unfollow = follow()
    },
    end: () => unfollow(),
  }
}

function deliver(at: StreamState, notification: Notification): void {
  if (notification.position <= at.last) return
  at.last = notification.position
  at.write(messageOf(notification))
}

function releaseHeld(at: StreamState): void {
  for (const notification of at.held ?? []) deliver(at, notification)
  at.held = undefined
}

async function catchUp(context: ApiContext, at: StreamState, after: Position): Promise<void> {
  try {
    if (after >= at.last) await deliverMissed(context, at, after)
    // Newer updates were already sent, so older ones would be out of order.
    else if (at.since === undefined || at.since > after) at.write({ type: 'resync' })
  } finally {
    at.pending -= 1
  }
  if (at.pending === 0) releaseHeld(at)
}

async function deliverMissed({ feed, eventStore }: ApiContext, at: StreamState, after: Position) {
  const missed = await feed.notificationsAfter(after, resumeMax + 1, at.scope)
  if (!(await at.mayReceive())) return
  const isLost = missed.length > resumeMax || after > (await eventStore.head())
  if (isLost) {
    at.write({ type: 'resync' })
    return
  }
  if (at.since === undefined || after > at.last) at.since = after
  at.last = after
  for (const notification of missed) deliver(at, notification)
}
