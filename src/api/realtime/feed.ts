// The live feed of one API process: reads new notifications and delivers them to subscribers.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Tables } from '../../projections/core/tables.ts'
import {
  decodeNotifications,
  type Notification,
  newestNotification,
  notificationsAfter,
} from '../../projections/order/orderNotifications.ts'
import type { LiveSubscriber, NotificationFeed } from '../http/context.ts'
import type { OrderUpdate } from './messages.ts'

const pollMs = 500
const batchMax = 500

/** Starts following the notifications from the newest one on. */
export async function createNotificationFeed(db: Kysely<Tables>): Promise<NotificationFeed> {
  const followers = new Set<LiveSubscriber>()
  const ending = new AbortController()
  let position = await newestNotification(db)
  let isSignalled = false
  let delivered: Promise<void> = Promise.resolve()
  let pause = new AbortController()

  async function run() {
    while (!ending.signal.aborted) {
      isSignalled = false
      const notifications = await notificationsAfter(db, position, batchMax).catch(() => [])
      publish(notifications)
      if (notifications.length === batchMax || isSignalled) continue
      pause = new AbortController()
      const until = AbortSignal.any([pause.signal, ending.signal])
      await sleep(pollMs, undefined, { signal: until }).catch(() => undefined)
    }
  }

  function publish(notifications: readonly Notification[]) {
    // Notifications received during the query were already delivered.
    const fresh = notifications.filter(notification => notification.position > position)
    position = fresh.at(-1)?.position ?? position
    if (fresh.length > 0) delivered = delivered.then(() => deliver(followers, fresh))
  }

  function receive(text: string) {
    const message = decodeNotifications(text)
    if (message !== undefined && message.after <= position) return publish(message.notifications)
    isSignalled = true
    pause.abort()
  }
  const running = run()

  return {
    receive,
    subscribe(follower) {
      followers.add(follower)
      return () => followers.delete(follower)
    },
    notificationsAfter: (after, limit, customerId) =>
      notificationsAfter(db, after, limit, customerId),
    async close() {
      ending.abort()
      await running
      await delivered
    },
  }
}

/** Delivers notifications to the subscribers who may receive them. */
async function deliver(
  followers: ReadonlySet<LiveSubscriber>,
  notifications: readonly Notification[],
) {
  await Promise.all(
    [...followers].map(async follower => {
      const { customerId } = follower
      const own = notifications.filter(
        each => customerId === undefined || customerId === each.customerId,
      )
      if (own.length === 0 || (await follower.mayReceive?.()) === false) return
      if (followers.has(follower)) for (const each of own) follower.deliver(each)
    }),
  )
}

function sentenceOf({ orderNumber, status, previousStatus, tracking }: Notification): string {
  if (status === previousStatus) {
    return `The tracking number of your order ${orderNumber} is now ${tracking}`
  }
  const parcel = status === 'shipped' && tracking !== null ? `; tracking number ${tracking}` : ''
  return `Your order ${orderNumber} is now ${status}${parcel}`
}

/** The message of a notification. */
export function messageOf(notification: Notification): OrderUpdate {
  const { position, orderId, orderNumber, status, previousStatus, tracking, at } = notification
  return {
    type: 'order_update',
    position: String(position),
    orderId,
    orderNumber,
    status,
    previousStatus,
    ...(tracking === null ? {} : { trackingNumber: tracking }),
    message: sentenceOf(notification),
    at: at.toISOString(),
  }
}
