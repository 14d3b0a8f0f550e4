// Tries at passwords, wherever one can be tried: counted by the account that is found.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { digestOf } from '../../commands/core/ids.ts'
import { addressOf } from './addresses.ts'
import type { ApiContext } from './context.ts'
import { type Policy, spend } from './policies.ts'
import type { ProblemCode } from './problems.ts'

export const loginRoute = '/api/auth/login'

export interface PasswordPolicies {
  /** By account and address. */
  failedLogins: Policy
  /** By session, for those who are signed in. */
  ownTries: Policy
  /** By account alone: it refuses nobody, or strangers could lock the owner out. */
  anywhere: Policy
}

/** What was counted for a request before its password was looked at. */
interface Try {
  account: string
  counted: { policy: Policy; key: string }[]
}

/** The fields of bodies with which somebody shows that they know the password of an account. */
const proofs = ['password', 'oldPassword', 'currentPassword'] as const
const wrongPassword = new Set<ProblemCode>([
  'account/invalid-credentials',
  'account/wrong-password',
])

/**
 * Every try at an account from an address is counted before it is made, so that many at once get
 * no further than one after the other: at signing in, and wherever a signed-in person has to say
 * the password again. The right one clears the count; a request that was refused for anything
 * else gets its try back.
 */
export function limitPasswordTries(
  server: FastifyInstance,
  context: ApiContext,
  policies: PasswordPolicies,
): void {
  const tries = new WeakMap<FastifyRequest, Try>()
  server.addHook('preHandler', async (request, reply) => {
    const account = await accountTried(context, request)
    if (account === undefined) return
    const counted = keysOf(policies, request, account)
    for (const { policy, key } of counted) await spend(policy, key, reply)
    tries.set(request, { account, counted })
  })
  server.addHook('onSend', async (request, reply, payload) => {
    const made = tries.get(request)
    if (made === undefined) return payload
    // Once: an answer that fails is followed by another one.
    tries.delete(request)
    if (isWrong(reply)) await raiseAlarm(policies.anywhere, made.account, request)
    else {
      const settle = isRight(reply) ? 'forget' : 'giveBack'
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
 * Whose password a request tries: the id of the account, whichever of its names was sent and
 * however it was written. Where there is no such account, the name, so that both answers look the
 * same; both take the same query.
 */
async function accountTried(
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
  return proofs.some(field => field in body) ? actor.id : undefined
}

/** Without saying who it is or from where. */
function keysOf(
  { failedLogins, ownTries }: PasswordPolicies,
  request: FastifyRequest,
  account: string,
) {
  const key = digestOf({ login: account, address: addressOf(request.ip) })
  const { sessionId, routeOptions } = request
  const own = sessionId === undefined || routeOptions.url === loginRoute ? [] : [sessionId]
  return [
    { policy: failedLogins, key },
    // A stolen token is not worth more tries for being carried from address to address.
    ...own.map(session => ({ policy: ownTries, key: digestOf({ session }) })),
  ]
}

/** Tells the operator, once an hour, that many addresses try the passwords of one account. */
async function raiseAlarm(policy: Policy, account: string, request: FastifyRequest): Promise<void> {
  const { allowed, remaining } = await policy.count(digestOf({ account }))
  if (!allowed || remaining > 0) return
  const event = 'account-under-attack'
  request.log.warn({ event, account: digestOf({ account }) }, 'many wrong passwords, one account')
}
