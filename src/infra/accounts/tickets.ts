// Tickets: short-lived replacements of access tokens for URLs, which end up in logs.
import type { Sessions } from '../../ports/accounts.ts'
import { authenticated, digestOf, isAuthentic, newSecret } from '../crypto/randomSecrets.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

const ttlSeconds = 30
/** Ours have 65 characters. */
const lengthMax = 100

const insertTicket: Statement = {
  name: 'tickets_insert',
  text: `insert into shop.tickets (ticket_digest, customer_id, family, expires_at)
    values ($1, $2, $3, now() + make_interval(secs => $4))`,
}
// Of concurrent requests with the same ticket, one deletes the row.
const takeTicket: Statement = {
  name: 'tickets_take',
  text: `delete from shop.tickets
    where ticket_digest = $1 and expires_at > now()
    returning customer_id, family`,
}

/** Tickets over shop.tickets. Throws Unavailable. */
export function tickets(
  pool: Pool,
  secrets: Secrets,
): Pick<Sessions, 'issueTicket' | 'redeemTicket'> {
  return {
    async issueTicket(customerId, family) {
      const ticket = authenticated(secrets, newSecret(), ['ticket', customerId, family])
      const values = [digestOf(ticket), customerId, family, ttlSeconds]
      await rows(pool, insertTicket, values)
      return ticket
    },
    async redeemTicket(ticket) {
      if (ticket.length > lengthMax) return undefined
      const redeemed = rows<{ customer_id: string; family: string }>(pool, takeTicket, [
        digestOf(ticket),
      ])
      const [row] = await redeemed
      if (row === undefined) return undefined
      const { customer_id: customerId, family } = row
      const isGenuine = isAuthentic(secrets, ticket, ['ticket', customerId, family])
      return isGenuine ? { customerId, family } : undefined
    },
  }
}
