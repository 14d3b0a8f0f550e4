// The current roles of a token's owner, since tokens outlive revocations.
import { LRUCache } from 'lru-cache'
import type { App } from '../../commands/core/app.ts'
import type { Customer } from '../../domain/customer/customer.ts'
import type { Role } from '../../domain/kernel/types.ts'
import { isTransient } from '../../kit/transient.ts'
import type { AccessClaims, SessionServices, Sessions } from '../../ports/accounts.ts'

/** The roles of a token that its owner still has; undefined if the account is locked. */
export type CurrentRoles = (claims: AccessClaims) => Promise<readonly Role[] | undefined>

/** Revocations by other processes are effective within a second. */
const cachedMs = 800
const cachedMax = 10_000

/** The roles of an account that is not locked. */
function rolesOf(state: Customer): readonly Role[] | undefined {
  return state.status !== 'registered' || state.disabled ? undefined : state.roles
}

/**
 * Reads roles from the customer's stream: those of staff on every request, so that a
 * revocation is effective at once, as it is for shoppers that this process itself has locked,
 * erased or signed out. Changes of shoppers by other processes are effective within
 * a second. While the log cannot be read, their tokens are valid until they expire.
 */
export function createCurrentRoles(app: App, sessions: Pick<Sessions, 'isGood'>) {
  const known = new LRUCache<string, CachedRoles>({
    max: cachedMax,
    ttl: cachedMs,
    ttlResolution: 0,
  })

  async function look(customerId: string) {
    return rolesOf((await app.customers.load(customerId)).state)
  }

  async function shopper({ customerId, sessionId }: AccessClaims) {
    const before = known.get(sessionId)
    const here = app.customers.cached(customerId)
    const isOut = here !== undefined && rolesOf(here) === undefined
    if (before !== undefined && !isOut) return before.roles
    const [current, isOpen] = await Promise.all([
      look(customerId),
      sessions.isGood(customerId, sessionId),
    ])
    const roles = isOpen ? current : undefined
    known.set(sessionId, { customerId, roles })
    return roles
  }

  const currentRoles: CurrentRoles = async claims => {
    const { customerId, roles } = claims
    const isShopper = roles.every(role => role === 'customer')
    try {
      const current = await (isShopper ? shopper(claims) : look(customerId))
      return current && roles.filter(role => current.includes(role))
    } catch (error) {
      if (isShopper && isTransient(error)) return roles
      throw error
    }
  }
  return {
    currentRoles,
    forgetSession: (sessionId: string) => known.delete(sessionId),
    forgetPerson(customerId: string) {
      for (const [sessionId, each] of known.entries()) {
        if (each.customerId === customerId) known.delete(sessionId)
      }
    },
  }
}

interface CachedRoles {
  customerId: string
  roles: readonly Role[] | undefined
}

/** The context with current roles; sessions that are ended here are ended at once. */
export function withCurrentRoles<Context extends { app: App; accounts: SessionServices }>(
  context: Context,
): Context & { currentRoles: CurrentRoles } {
  const { sessions, accounts, recovery } = context.accounts
  const { currentRoles, forgetSession, forgetPerson } = createCurrentRoles(context.app, sessions)
  const services: Context['accounts'] = {
    ...context.accounts,
    sessions: {
      ...sessions,
      close: family => sessions.close(family).finally(() => forgetSession(family)),
      closeAll: id => sessions.closeAll(id).finally(() => forgetPerson(id)),
      closeOwn: (id, family) => sessions.closeOwn(id, family).finally(() => forgetSession(family)),
    },
    accounts: {
      ...accounts,
      changePassword: change =>
        accounts.changePassword(change).finally(() => forgetPerson(change.customerId)),
    },
    recovery: {
      ...recovery,
      use: (reset, next) => recovery.use(reset, next).finally(() => forgetPerson(reset.customerId)),
    },
  }
  return { ...context, accounts: services, currentRoles }
}

/** The roles of a customer by the current log; undefined if the account is locked. */
export async function rolesNow(
  app: Pick<App, 'customers'>,
  customerId: string,
): Promise<readonly Role[] | undefined> {
  return rolesOf((await app.customers.load(customerId)).state)
}

/** Whether a customer may follow their own orders, or all, by the current log. */
export async function mayFollow(
  app: Pick<App, 'customers'>,
  { customerId, roles }: Pick<AccessClaims, 'customerId' | 'roles'>,
  isForAll: boolean,
): Promise<boolean> {
  const current = await rolesNow(app, customerId)
  if (current === undefined || !isForAll) return current !== undefined
  return current.some(role => role !== 'customer' && roles.includes(role))
}
