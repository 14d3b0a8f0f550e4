// How much anyone may ask: per person, per address, and tighter where passwords are tried.
import { isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { digestOf } from '../commands/ids.ts'
import type { Counted, Counter } from '../commands/ports.ts'
import type { ApiContext } from './context.ts'
import { createCredit } from './credit.ts'
import { HttpProblem, makeProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a request is for so much at once that there may be few of them in an hour. */
    bulk?: (request: FastifyRequest) => boolean
  }
}

interface Policy extends Counter {
  /** As in RateLimit-Policy. */
  text: string
  name: string
}

interface Policies {
  anonymous: Policy
  reads: Policy
  writes: Policy
  /** By route, for what strangers try passwords and addresses on. */
  byAddress: ReadonlyMap<string, Policy>
  failedLogins: Policy
  refreshes: Policy
  misses: Policy
  bulk: Policy
}

const minute = 60
const hour = 60 * minute
const loginRoute = '/api/auth/login'
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
  credit(address: string): string[] | undefined
}

/** Sets the limits up; with RATE_LIMITS=off there are none. */
export function createLimits(app: FastifyInstance, context: ApiContext): Limits {
  if (context.config.rateLimits === 'off') return { credit: () => [] }
  const policies = policiesOf(context)
  const credit = createCredit(policies.anonymous)
  limitLogins(app, policies.failedLogins)
  limitRefreshes(app, context, policies.refreshes)
  limitMisses(app, policies.misses)
  const take: Limit = async (request, reply) => {
    const route = request.routeOptions.url
    if (unlimited.has(route)) return
    const address = addressOf(request.ip)
    const { actor } = request
    if (actor.role === 'anonymous') {
      const times = 1 + credit.settle(address)
      const learn = (counted: Counted) => credit.learn(address, counted)
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
    credit(address) {
      const left = credit.use(address)
      if (left === undefined) return undefined
      const { anonymous } = policies
      return ['ratelimit-policy', anonymous.text, 'ratelimit', standing(anonymous, left)]
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
    refreshes: policy('refreshes', config.rateLimitRefreshes, hour),
    misses: policy('misses', config.rateLimitMisses, minute),
    bulk: policy('bulk', config.rateLimitBulk, hour),
    byAddress: new Map([
      [`POST ${loginRoute}`, policy('logins', config.rateLimitLogins, minute)],
      ['POST /api/auth/register', policy('registrations', config.rateLimitRegistrations, hour)],
      ['POST /api/auth/password/reset', resets],
      ['POST /api/auth/password/reset/confirm', resets],
    ]),
  }
}

/**
 * Every try at an account from an address is counted before it is made, so that many at once get
 * no further than one after the other; one that succeeds takes the count back.
 */
function limitLogins(app: FastifyInstance, policy: Policy): void {
  app.addHook('preHandler', async (request, reply) => {
    const key = loginKey(request)
    if (key !== undefined) await spend(policy, key, reply)
  })
  app.addHook('onResponse', async (request, reply) => {
    const key = loginKey(request)
    if (key !== undefined && reply.statusCode === 200) await policy.forget(key)
  })
}

/** The account and the address, without saying either. */
function loginKey({ method, routeOptions, body, ip }: FastifyRequest): string | undefined {
  if (method !== 'POST' || routeOptions.url !== loginRoute) return undefined
  if (typeof body !== 'object' || body === null) return undefined
  const { username, email } = { username: undefined, email: undefined, ...body }
  return digestOf({ login: String(username ?? email).toLowerCase(), address: addressOf(ip) })
}

/** A session that wants new tokens all the time is a program gone wild, or somebody else's. */
function limitRefreshes(app: FastifyInstance, { accounts }: ApiContext, policy: Policy): void {
  app.addHook('preHandler', async (request, reply) => {
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
function limitMisses(app: FastifyInstance, policy: Policy): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (reply.statusCode !== 404) return payload
    const { allowed, resetSeconds } = await tell(policy, addressOf(request.ip), reply)
    if (allowed) return payload
    const detail = 'You have asked for too much that is not there.'
    const extra = { policy: policy.name, retryAfterSeconds: resetSeconds }
    return makeProblem(reply, 'request/too-many', { detail, extra })
  })
}

async function spend(
  policy: Policy,
  key: string,
  reply: FastifyReply,
  { times = 1, learn }: { times?: number; learn?: (counted: Counted) => void } = {},
): Promise<void> {
  const counted = await tell(policy, key, reply, times)
  learn?.(counted)
  const { allowed, resetSeconds } = counted
  if (allowed) return
  throw new HttpProblem('request/too-many', 'That was too much at once: wait before you go on.', {
    policy: policy.name,
    retryAfterSeconds: resetSeconds,
  })
}

/** Counts, and says where one stands. */
async function tell(policy: Policy, key: string, reply: FastifyReply, times = 1): Promise<Counted> {
  const counted = await policy.count(key, times)
  const { allowed, remaining, resetSeconds } = counted
  appendTo(reply, 'ratelimit-policy', policy.text)
  appendTo(reply, 'ratelimit', standing(policy, { remaining, resetSeconds }))
  if (!allowed) {
    reply.request.log.warn({ event: 'rate-limited', policy: policy.name }, 'rate limit reached')
  }
  return counted
}

function standing(
  { name }: Policy,
  { remaining, resetSeconds }: Pick<Counted, 'remaining' | 'resetSeconds'>,
): string {
  return `"${name}";r=${remaining};t=${resetSeconds}`
}

/** A request can be counted under more than one policy: the header is a list. */
function appendTo(reply: FastifyReply, header: string, text: string): void {
  const before = reply.getHeader(header)
  reply.header(header, before === undefined ? text : `${before}, ${text}`)
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Whoever has an IPv6 address has 2^64 of them: their network counts as one. */
export function addressOf(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(ip)) return ip
  const [head = '', tail] = (ip.split('%')[0] ?? '').toLowerCase().split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return `${groups.slice(0, 4).map(shortest).join(':')}::/64`
}

const shortest = (group: string) => Number.parseInt(group, 16).toString(16)
