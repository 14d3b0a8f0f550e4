// Tells the API what is new about orders: with what has to be known already, so that whoever knows
// it need not look anything up. What reads it is api/realtime/orderMessages.ts.
import type { Position } from '../../kit/position.ts'
import type { Notification } from '../../projections/core/notification.ts'

/** More are looked up: they would hold up other calls on the way. */
const toldMax = 200

/**
 * Tells notifications in the order of their commits. What it says is empty where it cannot say what
 * came before, because it has just begun or has not been told: then they have to be looked up.
 */
export function orderTeller(
  say: (text: string) => void,
): (notifications: readonly Notification[] | undefined) => void {
  let last: Position | undefined
  return notifications => {
    const isLookedUp = notifications === undefined || notifications.length > toldMax
    say(last === undefined || isLookedUp ? '' : write(last, notifications))
    last = notifications?.at(-1)?.position
  }
}

function write(after: Position, notifications: readonly Notification[]): string {
  return JSON.stringify({
    after: String(after),
    notifications: notifications.map(each => ({ ...each, position: String(each.position) })),
  })
}
