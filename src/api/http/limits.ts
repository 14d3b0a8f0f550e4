// Rate limits: by account, by address, and stricter for passwords.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counted } from '../../ports/requests.ts'
import { addressOf } from './addresses.ts'
import type { ApiContext } from './context.ts'
import { createLocalQuota } from './localQuota.ts'
import { limitPasswordAttempts, loginRoute, type PasswordPolicies } from './passwordAttempts.ts'
import { consume, countRequest, type Policy, setHeaders } from './policies.ts'
import { makeProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a request returns so much that few of them are allowed in an hour. */
    bulk?: (request: FastifyRequest) => boolean
    /** Whether requests are counted in this process first, since they cost less than counting. */
    localQuota?: boolean
  }
}

interface Policies extends PasswordPolicies {
  anonymous: Policy
  reads: Policy
  writes: Policy
  /** By route, for those where anonymous callers submit passwords and addresses. */
  byAddress: ReadonlyMap<string, Policy>
  refreshes: Policy
  misses: Policy
  bulk: Policy
}

const minute = 60
const hour = 60 * minute
/** Wrong passwords for one account in an hour, from any address, until operators are alerted. */
const failedAnywhere = 50
const refreshRoute = '/api/auth/token/refresh'
/** Health checks are frequent. */
const unlimited = new Set<string | undefined>(['/healthz', '/readyz', '/metrics'])

/** Counts a request once its caller is known. Throws a 429 problem above the limit. */
export type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Sets the limits up; with RATE_LIMITS=off there are none. */
export function createLimits(server: FastifyInstance, context: ApiContext): Limit | undefined {
  if (context.config.rateLimits === 'off') return undefined
  const policies = policiesOf(context)
  limitPasswordAttempts(server, context, policies)
  limitRefreshes(server, context, policies.refreshes)
  limitMisses(server, policies.misses)
  const anonymous = withLocalQuota(policies.anonymous)
  const reads = withLocalQuota(policies.reads)
  return async (request, reply) => {
    const { url: route, config } = request.routeOptions
    if (unlimited.has(route)) return
    const address = addressOf(request.ip)
    const { actor } = request
    const isLocal = config.localQuota === true
    if (actor.role === 'anonymous') await anonymous(address, reply, isLocal)
    else if (isRead(request)) await reads(actor.id, reply, isLocal)
    else await consume(policies.writes, actor.id, reply)
    if (config.bulk?.(request) && actor.role !== 'anonymous') {
      await consume(policies.bulk, actor.id, reply)
    }
    const tight = policies.byAddress.get(`${request.method} ${route}`)
    if (tight !== undefined) await consume(tight, address, reply)
  }
}

/** Counts under a policy: at once, or for cheap routes a little later as long as quota is left. */
function withLocalQuota(policy: Policy) {
  const quota = createLocalQuota(policy)
  return async (key: string, reply: FastifyReply, isLocal: boolean) => {
    const left = isLocal ? quota.use(key) : undefined
    if (left !== undefined) return setHeaders(reply, policy, left)
    const learn = (counted: Counted) => quota.update(key, counted)
    await consume(policy, key, reply, { times: 1 + quota.takeUnreported(key), learn })
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
    ownAttempts: policy('own-password', config.rateLimitFailedLogins, 15 * minute),
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

/** Limits refreshes by session: many of them indicate a faulty client or a stolen token. */
function limitRefreshes(server: FastifyInstance, { accounts }: ApiContext, policy: Policy): void {
  server.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST' || request.routeOptions.url !== refreshRoute) return
    const { body } = request
    if (typeof body !== 'object' || body === null || !('refresh' in body)) return
    const family = await accounts.sessions.familyOf(String(body.refresh))
    if (family !== undefined) await consume(policy, family, reply)
  })
}

/**
 * Turns 404 into 429 for callers who request many missing resources. Existing resources
 * remain available to them, since many people may share an address.
 */
function limitMisses(server: FastifyInstance, policy: Policy): void {
  server.addHook('onSend', async (request, reply, payload) => {
    if (reply.statusCode !== 404) return payload
    const { actor, ip } = request
    const by = actor.role === 'anonymous' ? addressOf(ip) : actor.id
    const { allowed, resetSeconds } = await countRequest(policy, by, reply)
    if (allowed) return payload
    const detail = 'Too many requests for missing resources. Retry after the time in Retry-After.'
    const extra = { policy: policy.name, retryAfterSeconds: resetSeconds }
    return makeProblem(reply, 'request/too-many', { detail, extra })
  })
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}
