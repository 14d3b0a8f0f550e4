// The live feed of one API process: reads new notifications and hands them to whoever follows.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import {
  type Notification,
  newestNotification,
  notificationsAfter,
} from '../projections/orderQueries.ts'
import type { Tables } from '../projections/tables.ts'
import { readOrderNews } from './orderNews.ts'

export interface Follower {
  /** Whose orders; undefined for everybody's. */
  customerId: string | undefined
  deliver(notification: Notification): void
}

export interface NotificationFeed {
  /**
   * Hears what a projector tells: news are passed on at once where they follow on what is known,
   * else looked for. Polling finds what a lost call has missed.
   */
  hear(told: string): void
  /** Live from now on; the function ends it. */
  follow(follower: Follower): () => void
  /** What somebody has missed, oldest first, at most `limit`. */
  missed(after: bigint, limit: number, customerId: string | undefined): Promise<Notification[]>
  close(): Promise<void>
}

const pollMs = 500
const batchMax = 500

/** Starts following the notifications from the newest one on. */
export async function createNotificationFeed(db: Kysely<Tables>): Promise<NotificationFeed> {
  const followers = new Set<Follower>()
  const ending = new AbortController()
  let position = await newestNotification(db)
  let hinted = false
  let nap = new AbortController()

  async function run() {
    while (!ending.signal.aborted) {
      hinted = false
      const news = await notificationsAfter(db, position, batchMax).catch(() => [])
      passOn(news)
      if (news.length === batchMax || hinted) continue
      nap = new AbortController()
      const until = AbortSignal.any([nap.signal, ending.signal])
      await sleep(pollMs, undefined, { signal: until }).catch(() => undefined)
    }
  }

  function passOn(news: readonly Notification[]) {
    for (const notification of news) {
      // What was heard while it was looked up has been passed on.
      if (notification.position <= position) continue
      position = notification.position
      spread(followers, notification)
    }
  }

  function hear(told: string) {
    const news = readOrderNews(told)
    if (news !== undefined && news.after <= position) return passOn(news.notifications)
    hinted = true
    nap.abort()
  }
  const running = run()

  return {
    hear,
    follow(follower) {
      followers.add(follower)
      return () => followers.delete(follower)
    },
    missed: (after, limit, customerId) => notificationsAfter(db, after, limit, customerId),
    async close() {
      ending.abort()
      await running
    },
  }
}

function spread(followers: ReadonlySet<Follower>, notification: Notification) {
  for (const follower of followers) {
    if (follower.customerId === undefined || follower.customerId === notification.customerId) {
      follower.deliver(notification)
    }
  }
}

function sentenceOf({ orderNumber, status, previousStatus, tracking }: Notification): string {
  if (status === previousStatus) {
    return `The tracking number of your order ${orderNumber} is now ${tracking}`
  }
  const parcel = status === 'shipped' && tracking !== null ? `; tracking number ${tracking}` : ''
  return `Your order ${orderNumber} is now ${status}${parcel}`
}

/** A notification as clients get it. */
export function messageOf(notification: Notification) {
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
