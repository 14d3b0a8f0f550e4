// How much anyone may ask: per person, per address, and tighter where passwords are tried.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counted } from '../../ports/requests.ts'
import { addressOf } from './addresses.ts'
import type { ApiContext } from './context.ts'
import { createLocalQuota } from './localQuota.ts'
import { limitPasswordTries, loginRoute, type PasswordPolicies } from './passwordAttempts.ts'
import { type Policy, rateLimitOf, setRateLimitHeaders, spend } from './policies.ts'
import { makeProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a request is for so much at once that there may be few of them in an hour. */
    bulk?: (request: FastifyRequest) => boolean
  }
}

interface Policies extends PasswordPolicies {
  anonymous: Policy
  reads: Policy
  writes: Policy
  /** By route, for what strangers try passwords and addresses on. */
  byAddress: ReadonlyMap<string, Policy>
  refreshes: Policy
  misses: Policy
  bulk: Policy
}

const minute = 60
const hour = 60 * minute
/** Wrong passwords for one account in an hour, from anywhere, of which the operator is told. */
const failedAnywhere = 50
const refreshRoute = '/api/auth/token/refresh'
/** Who looks whether the shop is well looks often. */
const unlimited = new Set<string | undefined>(['/healthz', '/readyz', '/metrics'])

/** What counts a request, after it is known who asks. Throws a 429 problem above the limit. */
export type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

export interface Limits {
  /** Missing where there are no limits. */
  take?: Limit
  /**
   * Counts a request of somebody who is not signed in without waiting for it: the headers that say
   * where they stand, undefined where `take` has to decide.
   */
  quota(address: string): string[] | undefined
}

/** Sets the limits up; with RATE_LIMITS=off there are none. */
export function createLimits(server: FastifyInstance, context: ApiContext): Limits {
  if (context.config.rateLimits === 'off') return { quota: () => [] }
  const policies = policiesOf(context)
  const quota = createLocalQuota(policies.anonymous)
  limitPasswordTries(server, context, policies)
  limitRefreshes(server, context, policies.refreshes)
  limitMisses(server, policies.misses)
  const take: Limit = async (request, reply) => {
    const route = request.routeOptions.url
    if (unlimited.has(route)) return
    const address = addressOf(request.ip)
    const { actor } = request
    if (actor.role === 'anonymous') {
      const times = 1 + quota.settle(address)
      const learn = (counted: Counted) => quota.learn(address, counted)
      await spend(policies.anonymous, address, reply, { times, learn })
    } else await spend(isRead(request) ? policies.reads : policies.writes, actor.id, reply)
    if (request.routeOptions.config.bulk?.(request) && actor.role !== 'anonymous') {
      await spend(policies.bulk, actor.id, reply)
    }
    const tight = policies.byAddress.get(`${request.method} ${route}`)
    if (tight !== undefined) await spend(tight, address, reply)
  }
  return {
    take,
    quota(address) {
      const left = quota.use(address)
      if (left === undefined) return undefined
      const { anonymous } = policies
      return ['ratelimit-policy', anonymous.text, 'ratelimit', rateLimitOf(anonymous, left)]
    },
  }
}

function policiesOf({ config, counters }: ApiContext): Policies {
  const policy = (name: string, quota: number, windowSeconds: number): Policy => ({
    ...counters(name, quota, windowSeconds),
    name,
    text: `"${name}";q=${quota};w=${windowSeconds}`,
  })
  const resets = policy('resets', config.rateLimitResets, hour)
  return {
    anonymous: policy('anonymous', config.rateLimitAnonymous, minute),
    reads: policy('reads', config.rateLimitReads, minute),
    writes: policy('writes', config.rateLimitWrites, minute),
    failedLogins: policy('failed-logins', config.rateLimitFailedLogins, 15 * minute),
    ownTries: policy('own-password', config.rateLimitFailedLogins, 15 * minute),
    anywhere: policy('account-under-attack', failedAnywhere, hour),
    refreshes: policy('refreshes', config.rateLimitRefreshes, hour),
    misses: policy('misses', config.rateLimitMisses, minute),
    bulk: policy('bulk', config.rateLimitBulk, hour),
    byAddress: new Map([
      [`POST ${loginRoute}`, policy('logins', config.rateLimitLogins, minute)],
      ['POST /api/auth/register', policy('registrations', config.rateLimitRegistrations, hour)],
      ['POST /api/auth/password/reset', resets],
      ['POST /api/auth/password/reset/confirm', resets],
      ['POST /api/auth/email/confirm', resets],
      ['POST /api/auth/email/resend', resets],
    ]),
  }
}

/** A session that wants new tokens all the time is a program gone wild, or somebody else's. */
function limitRefreshes(server: FastifyInstance, { accounts }: ApiContext, policy: Policy): void {
  server.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST' || request.routeOptions.url !== refreshRoute) return
    const { body } = request
    if (typeof body !== 'object' || body === null || !('refresh' in body)) return
    const family = await accounts.sessions.familyOf(String(body.refresh))
    if (family !== undefined) await spend(policy, family, reply)
  })
}

/**
 * Whoever looks for what is not there is told to stop in the place of being told that it is not:
 * what is there stays open to them, since they may share their address with a whole school.
 */
function limitMisses(server: FastifyInstance, policy: Policy): void {
  server.addHook('onSend', async (request, reply, payload) => {
    if (reply.statusCode !== 404) return payload
    const { actor, ip } = request
    const by = actor.role === 'anonymous' ? addressOf(ip) : actor.id
    const { allowed, resetSeconds } = await setRateLimitHeaders(policy, by, reply)
    if (allowed) return payload
    const detail = 'You have asked for too much that is not there.'
    const extra = { policy: policy.name, retryAfterSeconds: resetSeconds }
    return makeProblem(reply, 'request/too-many', { detail, extra })
  })
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}
