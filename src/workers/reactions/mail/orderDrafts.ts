// Drafts of mails about orders: recipient, and the order as it was at the event.

import type { App } from '../../../commands/core/app.ts'
import { type OrderEvent, order } from '../../../domain/order/order.ts'
import type { AccountServices } from '../../../ports/accounts.ts'
import type { Codec } from '../../../ports/codec.ts'
import { type EventStore, readStream } from '../../../ports/eventStore.ts'
import { compose } from './compose.ts'
import type { DraftFor } from './draft.ts'
import type { OrderAtEvent } from './orderFacts.ts'
import { isOrderTemplate } from './outbox.ts'
import { type Language, languageOf } from './words.ts'

export interface OrderDraftParts {
  app: App
  eventStore: EventStore
  codec: Codec
  shopName: string
  /** The language if the customer's is not known. */
  language: Language
  timeZone: string
  /** The URL at which customers reach the shop. */
  publicUrl: string
  accounts: Pick<AccountServices, 'accounts' | 'addresses'>
}

/** Drafts of mails about orders. Throws Unavailable. */
export function orderDrafts(parts: OrderDraftParts): DraftFor {
  const { app, shopName, accounts, timeZone, publicUrl } = parts
  return async ({ event_id, template, order_id }) => {
    if (order_id === null || !isOrderTemplate(template)) return undefined
    const then = await orderAt(parts, order_id, event_id)
    const { state: customer } = await app.customers.load(then.order.customerId)
    if (customer.status !== 'registered') return undefined
    const { profile, username } = customer
    const to = profile.email
    if (to?.includes('@') !== true) return undefined
    const isConfirmed = await accounts.addresses.isConfirmed(then.order.customerId, to)
    // No free text to an unconfirmed address: it may belong to somebody else.
    const name = isConfirmed ? (profile.firstName ?? username) : undefined
    const letter = {
      ...{ id: `${event_id}.${template}`, template, to, shopName, timeZone, ...then },
      language: languageOf(then.order.country ?? profile.country, parts.language),
      link: `${publicUrl}/orders/${order_id}`,
    }
    return {
      recipient: accounts.accounts.digestOf(to),
      isConfirmed,
      finish: async () => ({ mail: compose({ ...letter, name }) }),
    }
  }
}

/**
 * An order as it was right after an event, including the payment deadline that is recorded together
 * with OrderPlaced. Throws an error with the code NO_EVENT if the event is not in the log.
 */
async function orderAt(
  { eventStore, codec }: OrderDraftParts,
  orderId: string,
  eventId: string,
): Promise<OrderAtEvent> {
  let state = order.initial
  let found: { event: OrderEvent; revision: number } | undefined
  for await (const recorded of readStream(eventStore, `${order.category}-${orderId}`)) {
    const event = await codec.decodeFor<OrderEvent>(order, recorded)
    const isDeadline = event.type === 'PaymentDeadlineSet'
    if (found !== undefined && !(isDeadline && recorded.revision === found.revision + 1)) break
    state = order.evolve(state, event)
    if (recorded.id === eventId) found = { event, revision: recorded.revision }
  }
  if (found === undefined || state.status === 'none') {
    const text = 'a mail is due about an event that is not in the log'
    throw Object.assign(new Error(text), { code: 'NO_EVENT' })
  }
  return { order: state, event: found.event }
}
