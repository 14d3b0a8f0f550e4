// What a token's bearer may still do: tokens live for minutes, and rights end sooner than that.
import type { AccessClaims } from '../commands/accountPorts.ts'
import type { Shop } from '../commands/shop.ts'
import type { Role } from '../domain/types.ts'
import { isTransient } from '../kit/transient.ts'

/** The roles that are left of those in a token; undefined when its bearer may do nothing. */
export type Standing = (claims: AccessClaims) => Promise<readonly Role[] | undefined>

const rememberedMs = 5_000
const rememberedMax = 10_000

/**
 * Looks at the customer's stream. The staff is looked at on every request, so that who is locked
 * out is out at once; what is known of shoppers may be five seconds old, and when the log cannot
 * be read their token is good until it ends.
 */
export function createStanding(shop: Shop): Standing {
  const known = new Map<string, { roles: readonly Role[] | undefined; until: number }>()

  async function look(customerId: string) {
    const { state } = await shop.customers.load(customerId)
    return state.status !== 'registered' || state.disabled ? undefined : state.roles
  }

  async function shopper(customerId: string) {
    const before = known.get(customerId)
    if (before !== undefined && before.until > performance.now()) return before.roles
    const roles = await look(customerId)
    known.delete(customerId)
    known.set(customerId, { roles, until: performance.now() + rememberedMs })
    const [oldest] = known.keys()
    if (known.size > rememberedMax && oldest !== undefined) known.delete(oldest)
    return roles
  }

  return async ({ customerId, roles }) => {
    const isShopper = roles.every(role => role === 'customer')
    try {
      const current = await (isShopper ? shopper(customerId) : look(customerId))
      return current && roles.filter(role => current.includes(role))
    } catch (error) {
      if (isShopper && isTransient(error)) return roles
      throw error
    }
  }
}
