// Notifications: that the status or tracking number of an order has changed, as they are stored,
// queried and sent from the projector to live connections.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { OrderEvents } from '../../domain/order/orderEvents.ts'
import { type OrderStatus, orderStatuses } from '../../domain/order/orderStates.ts'
import { parseJson } from '../../kit/parseJson.ts'
import { comparePositions, type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import { insertOf, type Step } from '../core/keyedTable.ts'
import { executePrepared } from '../core/pipeline.ts'
import { defineSignal } from '../core/signals.ts'
import { nullable, position, type SelectedOf, text, textOf, time, uuid } from '../core/table.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>

const Status = Type.Enum([...orderStatuses])

export interface Notification {
  position: Position
  customerId: string
  orderId: string
  orderNumber: string
  status: OrderStatus
  previousStatus: OrderStatus
  tracking: string | null
  at: Date
}

/** The notifications of a commit, in the order of the log. */
export const orderNotifications = defineSignal<readonly Notification[]>('order-notifications')

/** What notifications need to know of an order. */
interface NotifiedRow {
  order_id: string
  order_number: string
  customer_id: string
  status: OrderStatus
  tracking: string | null
}

/** The notifications of some changes to orders, in the order of the log. */
export function notificationsOf(steps: readonly Step<NotifiedRow>[]): Notification[] {
  const found = steps.flatMap(({ before, after, event }): Notification[] => {
    if (before === undefined || after === undefined) return []
    const isNotable = before.status !== after.status || before.tracking !== after.tracking
    // Imported history is not notified.
    if (!isNotable || event.source !== undefined) return []
    return [
      {
        position: event.position,
        customerId: after.customer_id,
        orderId: after.order_id,
        orderNumber: after.order_number,
        status: after.status,
        previousStatus: before.status,
        tracking: after.tracking,
        at: new Date(event.at),
      },
    ]
  })
  // Steps come order by order.
  return found.sort((a, b) => comparePositions(a.position, b.position))
}

/** What notifications are stored in. */
export const notifications = {
  name: 'notifications',
  person: 'customer_id',
  columns: {
    position,
    customer_id: uuid,
    order_id: uuid,
    order_number: text,
    status: textOf(Status),
    previous_status: textOf(Status),
    tracking: nullable(textOf(OrderEvents.TrackingChanged.properties.tracking)),
    at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    notifications: SelectedOf<typeof notifications>
  }
}

/** The statements that store notifications. */
export function insertNotifications(raised: readonly Notification[]): CompiledQuery[] {
  const rows = raised.map(({ position, at, ...rest }) => ({
    position: String(position),
    customer_id: rest.customerId,
    order_id: rest.orderId,
    order_number: rest.orderNumber,
    status: rest.status,
    previous_status: rest.previousStatus,
    tracking: rest.tracking,
    at: at.toISOString(),
  }))
  return insertOf(notifications, rows)
}

function ofRecord(row: Tables['notifications']): Notification {
  return {
    position: row.position,
    customerId: row.customer_id,
    orderId: row.order_id,
    orderNumber: row.order_number,
    status: row.status,
    previousStatus: row.previous_status,
    tracking: row.tracking,
    at: row.at,
  }
}

/** Notifications after a position, in log order; of one customer or of all. */
export async function notificationsAfter(
  db: Db,
  after: Position,
  limit: number,
  customerId?: string,
): Promise<Notification[]> {
  // Every API process asks this after each commit.
  const { rows } =
    customerId === undefined
      ? await executePrepared(
          db,
          sql<Tables['notifications']>`
          select * from notifications
          where position > ${after}
          order by position
          limit ${limit}
        `,
        )
      : await sql<Tables['notifications']>`
          select * from notifications
          where customer_id = ${customerId} and position > ${after}
          order by position
          limit ${limit}
        `.execute(db)
  return rows.map(ofRecord)
}

/** The position of the newest notification, `startOfLog` when there is none. */
export async function newestNotification(db: Db): Promise<Position> {
  const { rows } = await sql<{ position: Position }>`
    select coalesce(max(position), 0)::bigint as position from notifications
  `.execute(db)
  return rows[0]?.position ?? startOfLog
}

/** A longer message would delay others on its channel: receivers query the table instead. */
const sentMax = 200

/**
 * Sends the notifications of each commit to the API processes, with the position of the one before.
 * The message is empty after a start or a missed commit: receivers then query the table.
 */
export function notificationSender(
  send: (message: string) => void,
): (payloads: readonly (readonly Notification[] | undefined)[]) => void {
  let last: Position | undefined
  return payloads => {
    const isMissed = payloads.includes(undefined)
    const raised = isMissed ? [] : payloads.flatMap(payload => payload ?? [])
    const isQueried = isMissed || last === undefined || raised.length > sentMax
    send(isQueried ? '' : encode(String(last), raised))
    last = raised.at(-1)?.position
  }
}

function encode(after: string, raised: readonly Notification[]): string {
  const sent = raised.map(each => ({ ...each, position: String(each.position) }))
  return JSON.stringify({ after, notifications: sent })
}

const PositionText = Type.String({ pattern: '^\\d{1,19}$' })
const Message = Compile(
  Type.Object({
    after: PositionText,
    notifications: Type.Array(
      Type.Object({
        position: PositionText,
        customerId: Type.String(),
        orderId: Type.String(),
        orderNumber: Type.String(),
        status: Status,
        previousStatus: Status,
        tracking: Type.Union([Type.String(), Type.Null()]),
        at: Type.String(),
      }),
    ),
  }),
)

/** Consecutive notifications: there are none between `after` and the first of them. */
export interface NotificationMessage {
  after: Position
  notifications: readonly Notification[]
}

/** A message of `notificationSender`; undefined for one that only says that there are some. */
export function decodeNotifications(message: string): NotificationMessage | undefined {
  const sent = parseJson(message)
  if (!Message.Check(sent)) return undefined
  const received = sent.notifications.map(each => ({
    ...each,
    position: parsePosition(each.position),
    at: new Date(each.at),
  }))
  return { after: parsePosition(sent.after), notifications: received }
}
