// News of orders as one process tells them to others: with what has to be known already, so that
// whoever knows it need not look anything up.
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { type OrderStatus, orderStatuses } from '../domain/orderStates.ts'

/** That an order has got on, as it is told to who it belongs to. */
export interface Notification {
  position: bigint
  customerId: string
  orderId: string
  orderNumber: string
  status: OrderStatus
  previousStatus: OrderStatus
  at: Date
}

/** Notifications one after the other: between `after` and the first of them there are none. */
export interface OrderNews {
  after: bigint
  notifications: readonly Notification[]
}

/** More are looked up: they would hold up other calls on the way. */
const toldMax = 200

const Position = Type.String({ pattern: '^\\d{1,19}$' })
const Written = Compile(
  Type.Object({
    after: Position,
    notifications: Type.Array(
      Type.Object({
        position: Position,
        customerId: Type.String(),
        orderId: Type.String(),
        orderNumber: Type.String(),
        status: Type.Enum([...orderStatuses]),
        previousStatus: Type.Enum([...orderStatuses]),
        at: Type.String(),
      }),
    ),
  }),
)

/**
 * Tells notifications in the order of their commits. What it says is empty where it cannot say what
 * came before, because it has just begun or has not been told: then they have to be looked up.
 */
export function orderTeller(
  say: (text: string) => void,
): (notifications: readonly Notification[] | undefined) => void {
  let last: bigint | undefined
  return notifications => {
    const isLookedUp = notifications === undefined || notifications.length > toldMax
    say(last === undefined || isLookedUp ? '' : write(last, notifications))
    last = notifications?.at(-1)?.position
  }
}

function write(after: bigint, notifications: readonly Notification[]): string {
  return JSON.stringify({
    after: String(after),
    notifications: notifications.map(each => ({ ...each, position: String(each.position) })),
  })
}

/** News as they were told; undefined for a call that only says that there are some. */
export function readOrderNews(text: string): OrderNews | undefined {
  const written = parsed(text)
  if (!Written.Check(written)) return undefined
  const notifications = written.notifications.map(each => ({
    ...each,
    position: BigInt(each.position),
    at: new Date(each.at),
  }))
  return { after: BigInt(written.after), notifications }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
