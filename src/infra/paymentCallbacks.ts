// The book of what payment providers have told us: every callback once, with what became of it.
import type { CallbackBook, CallbackOutcome } from '../commands/ports.ts'
import { type Pool, rows } from './database.ts'

const note = {
  name: 'payment_callback_note',
  text: `insert into shop.payment_callbacks (provider, callback_id, kind, payment_id, order_id)
    values ($1, $2, $3, $4, $5)
    on conflict (provider, callback_id) do update set times = payment_callbacks.times + 1
    returning outcome`,
}
const conclude = {
  name: 'payment_callback_conclude',
  text: `update shop.payment_callbacks set outcome = $3 where provider = $1 and callback_id = $2`,
}

/** The book of one provider. */
export function callbackBook(pool: Pool, provider: string): CallbackBook {
  return {
    async once({ callbackId, kind, paymentId, orderId }, act) {
      const values = [provider, callbackId, kind, paymentId, orderId]
      const [known] = await rows<{ outcome: CallbackOutcome | null }>(pool, note, values)
      if (known?.outcome) return known.outcome
      const outcome = await act()
      await rows(pool, conclude, [provider, callbackId, outcome])
      return outcome
    },
  }
}
