// What a token's bearer may still do: tokens live for minutes, and rights end sooner than that.
import { LRUCache } from 'lru-cache'
import type { App } from '../../commands/core/app.ts'
import type { Customer } from '../../domain/customer/customer.ts'
import type { Role } from '../../domain/kernel/types.ts'
import { isTransient } from '../../kit/transient.ts'
import type { AccessClaims, SessionServices, Sessions } from '../../ports/accounts.ts'

/** The roles that are left of those in a token; undefined when its bearer may do nothing. */
export type CurrentRoles = (claims: AccessClaims) => Promise<readonly Role[] | undefined>

/** What another process has done to a shopper is noticed within a second. */
const rememberedMs = 800
const rememberedMax = 10_000

/** The roles of somebody who may do something. */
function rolesOf(state: Customer): readonly Role[] | undefined {
  return state.status !== 'registered' || state.disabled ? undefined : state.roles
}

/**
 * Looks at the customer's stream. The staff is looked at on every request, so that who is locked
 * out is out at once; so is a shopper whom this process itself has locked out or erased, or whose
 * session it has ended. What others have done to shoppers, or to their sessions, is noticed within
 * a second; when the log cannot be read their token is good until it ends.
 */
export function createCurrentRoles(app: App, sessions: Pick<Sessions, 'isGood'>) {
  const known = new LRUCache<string, Known>({
    max: rememberedMax,
    ttl: rememberedMs,
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

interface Known {
  customerId: string
  roles: readonly Role[] | undefined
}

/** The context with what tokens are still good for; whoever ends a session here ends it at once. */
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

/** The roles that somebody has as the log is now; undefined when they may do nothing. */
export async function rolesNow(
  app: Pick<App, 'customers'>,
  customerId: string,
): Promise<readonly Role[] | undefined> {
  return rolesOf((await app.customers.load(customerId)).state)
}

/** Whether somebody may be told of orders: their own, or everybody's. Always as the log is now. */
export async function mayFollow(
  app: Pick<App, 'customers'>,
  { customerId, roles }: Pick<AccessClaims, 'customerId' | 'roles'>,
  isForAll: boolean,
): Promise<boolean> {
  const current = await rolesNow(app, customerId)
  if (current === undefined || !isForAll) return current !== undefined
  return current.some(role => role !== 'customer' && roles.includes(role))
}
