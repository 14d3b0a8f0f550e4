// Limits of password attempts, by account.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { digestOf } from '../../commands/core/ids.ts'
import { addressOf } from './addresses.ts'
import type { ApiContext } from './context.ts'
import { consume, type Policy } from './policies.ts'
import type { ProblemCode } from './problems.ts'

export const loginRoute = '/api/auth/login'

export interface PasswordPolicies {
  /** By account and address. */
  failedLogins: Policy
  /** By session, for signed-in users. */
  ownAttempts: Policy
  /** By account alone: it only alerts, otherwise strangers could lock an account. */
  anywhere: Policy
}

/** The counts of a request before its password was verified. */
interface Attempt {
  account: string
  counted: { policy: Policy; key: string }[]
}

/** The body fields that contain a current password. */
const passwordFields = ['password', 'oldPassword', 'currentPassword'] as const
const wrongPassword = new Set<ProblemCode>([
  'account/invalid-credentials',
  'account/wrong-password',
])

/**
 * Counts each attempt at an account from an address before it is made, so that concurrent
 * attempts are limited as well: when signing in, and wherever a signed-in user has to enter
 * the password again. A correct one resets the count; a request that was refused for another
 * reason is not counted.
 */
export function limitPasswordAttempts(
  server: FastifyInstance,
  context: ApiContext,
  policies: PasswordPolicies,
): void {
  const tries = new WeakMap<FastifyRequest, Attempt>()
  server.addHook('preHandler', async (request, reply) => {
    const account = await accountOf(context, request)
    if (account === undefined) return
    const counted = keysOf(policies, request, account)
    for (const { policy, key } of counted) await consume(policy, key, reply)
    tries.set(request, { account, counted })
  })
  server.addHook('onSend', async (request, reply, payload) => {
    const made = tries.get(request)
    if (made === undefined) return payload
    // Once: a response that fails is followed by another one.
    tries.delete(request)
    if (isWrong(reply)) await raiseAlarm(policies.anywhere, made.account, request)
    else {
      const settle = isRight(reply) ? 'reset' : 'refund'
      await Promise.all(made.counted.map(({ policy, key }) => policy[settle](key)))
    }
    return payload
  })
}

const isWrong = ({ problem }: FastifyReply) => problem !== undefined && wrongPassword.has(problem)

function isRight({ problem, statusCode }: FastifyReply): boolean {
  return problem === undefined && statusCode < 300
}

/**
 * The account of a password attempt: its id, whichever of its names was sent and
 * however it was written. If it does not exist, the name, so that both responses look the
 * same; both take the same query.
 */
async function accountOf(
  { accounts }: ApiContext,
  { method, routeOptions, body, actor }: FastifyRequest,
): Promise<string | undefined> {
  if (typeof body !== 'object' || body === null) return undefined
  if (method === 'POST' && routeOptions.url === loginRoute) {
    const { username, email } = { username: undefined, email: undefined, ...body }
    const login = String(username ?? email)
    const account = await accounts.accounts.findByLogin(login)
    return account?.customerId ?? login.normalize('NFKC').trim().toLowerCase()
  }
  if (actor.role === 'anonymous') return undefined
  return passwordFields.some(field => field in body) ? actor.id : undefined
}

/** Digests, which reveal neither account nor address. */
function keysOf(
  { failedLogins, ownAttempts: ownTries }: PasswordPolicies,
  request: FastifyRequest,
  account: string,
) {
  const key = digestOf({ login: account, address: addressOf(request.ip) })
  const { sessionId, routeOptions } = request
  const own = sessionId === undefined || routeOptions.url === loginRoute ? [] : [sessionId]
  return [
    { policy: failedLogins, key },
    // A stolen token must not get more attempts from more addresses.
    ...own.map(session => ({ policy: ownTries, key: digestOf({ session }) })),
  ]
}

/** Alerts operators once an hour to many wrong passwords for one account. */
async function raiseAlarm(policy: Policy, account: string, request: FastifyRequest): Promise<void> {
  const { allowed, remaining } = await policy.count(digestOf({ account }))
  if (!allowed || remaining > 0) return
  const event = 'account-under-attack'
  request.log.warn({ event, account: digestOf({ account }) }, 'many wrong passwords, one account')
}
