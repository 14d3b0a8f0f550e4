// Order messages as workers/reactions/orderMessages.ts publishes them.

import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { orderStatuses } from '../../domain/order/orderStates.ts'
import { parseJson } from '../../kit/parseJson.ts'
import { type Position as LogPosition, parsePosition } from '../../kit/position.ts'
import type { Notification } from '../../projections/core/notification.ts'

/** Notifications one after the other: between `after` and the first of them there are none. */
export interface OrderMessages {
  after: LogPosition
  notifications: readonly Notification[]
}

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
        tracking: Type.Union([Type.String(), Type.Null()]),
        at: Type.String(),
      }),
    ),
  }),
)

/** News as they were told; undefined for a call that only says that there are some. */
export function readOrderMessages(text: string): OrderMessages | undefined {
  const written = parseJson(text)
  if (!Written.Check(written)) return undefined
  const notifications = written.notifications.map(each => ({
    ...each,
    position: parsePosition(each.position),
    at: new Date(each.at),
  }))
  return { after: parsePosition(written.after), notifications }
}
