// Mails about orders: to whom they go, and what they are written from.
import type { Shop } from '../../commands/shop.ts'
import { compose } from './compose.ts'
import type { DraftFor } from './draft.ts'
import { isOrderTemplate } from './outbox.ts'

export interface OrderDraftParts {
  shop: Shop
  shopName: string
  digestOf(email: string): string
}

/** Drafts of mails about orders. Throws Unavailable. */
export function orderDrafts({ shop, shopName, digestOf }: OrderDraftParts): DraftFor {
  return async ({ event_id, template, order_id }) => {
    if (order_id === null || !isOrderTemplate(template)) return undefined
    const { state: order } = await shop.orders.load(order_id)
    if (order.status === 'none') throw codedError('NO_ORDER')
    const { state: customer } = await shop.customers.load(order.customerId)
    if (customer.status !== 'registered') return undefined
    const { profile, username } = customer
    const to = profile.email
    if (to?.includes('@') !== true) return undefined
    const letter = { id: `${event_id}.${template}`, template, to, shopName, order }
    const name = profile.firstName ?? username
    return {
      recipient: digestOf(to),
      isConfirmed: true,
      finish: async () => ({ mail: compose({ ...letter, name }) }),
    }
  }
}

function codedError(code: string): Error {
  return Object.assign(new Error('a mail is due about an order without events'), { code })
}
