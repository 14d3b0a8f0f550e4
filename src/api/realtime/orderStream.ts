// What one client that follows orders live is sent: nothing twice, nothing missing, in log order.
import { type Position, startOfLog } from '../../kit/position.ts'
import type { Notification } from '../../projections/order/orderNotifications.ts'
import type { ApiContext } from '../http/context.ts'
import { messageOf } from './feed.ts'
import type { ServerMessage } from './messages.ts'

/** More than this behind, a client is better off loading its orders anew. */
const resumeMax = 1_000

export interface OrderStream {
  send(message: ServerMessage): void
  /** Keeps live news back until the client has resumed, or `release` says that it will not. */
  hold(): void
  release(): void
  /** Delivers what was missed, then goes live from exactly there. */
  resume(after: Position): Promise<void>
  /** Everybody's orders instead of one's own. */
  widen(): void
  end(): void
}

interface Progress {
  write(message: ServerMessage): void
  mayHear(): Promise<boolean>
  /** Whose orders; undefined for everybody's. */
  scope: string | undefined
  /** The newest position that was sent, or that the client says it has. */
  last: Position
  /** From here to `last` the client has been given everything. */
  since: Position | undefined
  /** What came while the client is caught up, or has yet to say from where. */
  held: Notification[] | undefined
  /** Resumes that are not done yet. */
  pending: number
}

/** A client that follows orders. */
export interface Listener {
  customerId: string
  write(message: ServerMessage): void
  /** Whether they may be told now, of everybody's orders or their own; ends it where not. */
  mayHear(isForAll: boolean): Promise<boolean>
}

/** Follows the orders of a customer for a client. */
export function openStream(context: ApiContext, listener: Listener): OrderStream {
  const { customerId, write } = listener
  const at: Progress = {
    write,
    mayHear: () => listener.mayHear(at.scope === undefined),
    scope: customerId,
    last: startOfLog,
    since: undefined,
    held: undefined,
    pending: 0,
  }
  const follow = () =>
    context.feed.follow({
      customerId: at.scope,
      mayReceive: at.mayHear,
      deliver: notification => {
        if (at.held === undefined) pass(at, notification)
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
      if (at.pending === 0) letGo(at)
    },
    resume(after) {
      at.held ??= []
      at.pending += 1
      // One after the other: two at once would let go of what the other still holds.
      const turn = resuming.then(() => catchUp(context, at, after))
      resuming = turn.catch(() => undefined)
      return turn
    },
    widen() {
      unfollow()
      at.scope = undefined
      at.since = undefined
      unfollow = follow()
    },
    end: () => unfollow(),
  }
}

function pass(at: Progress, notification: Notification): void {
  if (notification.position <= at.last) return
  at.last = notification.position
  at.write(messageOf(notification))
}

function letGo(at: Progress): void {
  for (const notification of at.held ?? []) pass(at, notification)
  at.held = undefined
}

async function catchUp(context: ApiContext, at: Progress, after: Position): Promise<void> {
  try {
    if (after >= at.last) await deliverMissed(context, at, after)
    // Newer news have gone out before this was asked for: older ones would come out of order.
    else if (at.since === undefined || at.since > after) at.write({ type: 'resync' })
  } finally {
    at.pending -= 1
  }
  if (at.pending === 0) letGo(at)
}

async function deliverMissed({ feed, eventStore }: ApiContext, at: Progress, after: Position) {
  const missed = await feed.missed(after, resumeMax + 1, at.scope)
  if (!(await at.mayHear())) return
  const isLost = missed.length > resumeMax || after > (await eventStore.head())
  if (isLost) {
    at.write({ type: 'resync' })
    return
  }
  if (at.since === undefined || after > at.last) at.since = after
  at.last = after
  for (const notification of missed) pass(at, notification)
}
