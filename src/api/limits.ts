// How much anyone may ask: per person, per address, and tighter where passwords are tried.
import { isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { digestOf } from '../commands/ids.ts'
import type { ApiContext } from './context.ts'
import { HttpProblem } from './problems.ts'

export interface Counted {
  allowed: boolean
  remaining: number
  resetSeconds: number
}

export interface Counter {
  count(key: string): Promise<Counted>
  forget(key: string): Promise<void>
}

export type Counters = (policy: string, quota: number, windowSeconds: number) => Counter

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
}

const minute = 60
const hour = 60 * minute
const loginRoute = '/api/auth/login'
/** Who looks whether the shop is well looks often. */
const unlimited = new Set<string | undefined>(['/healthz', '/readyz', '/metrics'])

/** What counts a request, after it is known who asks. Throws a 429 problem above the limit. */
export type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Sets the limits up; with RATE_LIMITS=off there are none. */
export function createLimits(app: FastifyInstance, context: ApiContext): Limit {
  if (context.config.rateLimits === 'off') return async () => undefined
  const policies = policiesOf(context)
  limitLogins(app, policies.failedLogins)
  return async (request, reply) => {
    const route = request.routeOptions.url
    if (unlimited.has(route)) return
    const address = addressOf(request.ip)
    const { actor } = request
    if (actor.role === 'anonymous') await take(policies.anonymous, address, reply)
    else await take(isRead(request) ? policies.reads : policies.writes, actor.id, reply)
    const tight = policies.byAddress.get(`${request.method} ${route}`)
    if (tight !== undefined) await take(tight, address, reply)
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
    if (key !== undefined) await take(policy, key, reply)
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

async function take(policy: Policy, key: string, reply: FastifyReply): Promise<void> {
  const { allowed, remaining, resetSeconds } = await policy.count(key)
  appendTo(reply, 'ratelimit-policy', policy.text)
  appendTo(reply, 'ratelimit', `"${policy.name}";r=${remaining};t=${resetSeconds}`)
  if (allowed) return
  reply.request.log.warn({ event: 'rate-limited', policy: policy.name }, 'rate limit reached')
  throw new HttpProblem('request/too-many', 'That was too much at once: wait before you go on.', {
    policy: policy.name,
    retryAfterSeconds: resetSeconds,
  })
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
