// Authentication: the access token or ticket of a request, resolved to an actor.
import type { FastifyRequest } from 'fastify'
import { type Actor, type Role, roles } from '../../domain/kernel/types.ts'
import type { Sessions, Tokens, VerifiedClaims } from '../../ports/accounts.ts'
import type { CurrentRoles } from './currentRoles.ts'
import { HttpProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor
    sessionId: string | undefined
    /** When the token of the request expires. */
    tokenEndsAt: Date | undefined
  }
  interface FastifyContextConfig {
    /** Roles that may use a route, or `public`. Every route has to declare it. */
    access?: 'public' | readonly Role[]
    /** Whether the session is checked on every request; for staff it always is. */
    fresh?: boolean
    /** A cookie that may contain the token, for read-only pages. */
    cookie?: string
  }
}

/** By precedence: the role that is recorded for a user with several. */
const ranking: readonly Role[] = ['admin', 'support', 'warehouse', 'auditor', 'customer']

/** The services that authentication needs. */
export interface Identity {
  tokens: Tokens
  sessions: Sessions
  currentRoles: CurrentRoles
  /** The lifetime of a connection that was opened with a ticket; that of a token. */
  ticketLifeSeconds: number
}

/** The actor of an access token. Throws a 401 problem if it is invalid. */
export async function actorOf(identity: Identity, jwt: string, fresh = false) {
  const claims = await identity.tokens.verifyAccess(jwt)
  if (claims === undefined) throw invalidToken()
  return resolveActor(identity, claims, fresh)
}

/** The actor of a ticket. Throws a 401 problem if it was used or has expired. */
async function ticketActorOf(identity: Identity, ticket: string) {
  const holder = await identity.sessions.redeemTicket(ticket)
  if (holder === undefined) throw invalidToken()
  const { customerId, family: sessionId } = holder
  const endsAt = new Date(Date.now() + identity.ticketLifeSeconds * 1_000)
  return resolveActor(identity, { customerId, sessionId, roles, endsAt }, true)
}

/** Restricts claims to the current roles, since a token does not know of revocations. */
async function resolveActor(identity: Identity, claims: VerifiedClaims, fresh: boolean) {
  const { customerId: id, sessionId } = claims
  const isShopper = claims.roles.every(role => role === 'customer')
  const currentRoles = identity.currentRoles(claims)
  const [current, isOpen] =
    isShopper && !fresh
      ? [await currentRoles, true]
      : await Promise.all([currentRoles, identity.sessions.isGood(id, sessionId)])
  if (current === undefined || !isOpen) throw invalidToken()
  const role = ranking.find(each => current.includes(each)) ?? 'customer'
  const actor: Actor = { role, id, roles: current }
  return { actor, sessionId, endsAt: claims.endsAt }
}

function invalidToken() {
  return new HttpProblem('request/unauthenticated', 'The access token is invalid or has expired.')
}

interface Credentials {
  scheme: 'bearer' | 'ticket'
  token: string
}

/** The token itself is verified elsewhere. */
const bearer = /^bearer ./i

/** The credentials of a request, with an empty token if they are malformed. */
function credentialsOf({ headers, routeOptions }: FastifyRequest): Credentials | undefined {
  const { authorization, upgrade } = headers
  if (authorization !== undefined) {
    return { scheme: 'bearer', token: bearer.test(authorization) ? authorization.slice(7) : '' }
  }
  const { cookie } = routeOptions.config
  if (cookie !== undefined) return cookieCredentials(headers.cookie ?? '', cookie)
  if (upgrade?.toLowerCase() !== 'websocket') return undefined
  // `bearer, <token>` or `ticket, <ticket>`: the only header that browsers let a page set.
  const [scheme, token = ''] = (headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/)
  return scheme === 'bearer' || scheme === 'ticket' ? { scheme, token } : undefined
}

function cookieCredentials(cookies: string, wanted: string): Credentials | undefined {
  const pairs = cookies.split(/;\s*/).map(pair => pair.split('='))
  const token = pairs.find(([name]) => name === wanted)?.[1]
  if (token === undefined) return undefined
  return { scheme: 'bearer', token: /^[\w.-]{1,8192}$/.test(token) ? token : '' }
}

/** Authenticates a request and checks that its actor may use the route. */
export async function authenticate(identity: Identity, request: FastifyRequest): Promise<void> {
  const { access, fresh } = request.routeOptions.config
  const proof = credentialsOf(request)
  if (proof !== undefined) {
    const { scheme, token } = proof
    const asked =
      scheme === 'ticket' ? ticketActorOf(identity, token) : actorOf(identity, token, fresh)
    const { actor, sessionId, endsAt } = await asked
    request.actor = actor
    request.sessionId = sessionId
    request.tokenEndsAt = endsAt
  }
  if (access === undefined || access === 'public') return
  if (request.actor.role === 'anonymous') {
    throw new HttpProblem(
      'request/unauthenticated',
      'Authentication is required: send a Bearer token.',
    )
  }
  if (request.actor.role !== 'system' && !request.actor.roles.some(role => access.includes(role))) {
    throw new HttpProblem(
      'command/forbidden',
      `One of these roles is required: ${access.join(', ')}.`,
    )
  }
}

/** The id of a signed-in actor. Throws a 401 problem when nobody is signed in. */
export function signedIn(request: FastifyRequest): string {
  if (request.actor.role === 'anonymous') {
    throw new HttpProblem(
      'request/unauthenticated',
      'Authentication is required: send a Bearer token.',
    )
  }
  return request.actor.id
}

/** Throws a 401 or 403 problem unless the caller is staff; `what` explains why. */
export function assertStaff({ actor }: Pick<FastifyRequest, 'actor'>, what: string): void {
  if (isStaff(actor)) return
  if (actor.role === 'anonymous') {
    throw new HttpProblem('request/unauthenticated', `${what}. Authentication is required.`)
  }
  throw new HttpProblem('command/forbidden', `${what}.`)
}

/** Whether an actor is staff or an auditor. */
export function isStaff(actor: Actor): boolean {
  if (actor.role === 'anonymous' || actor.role === 'system') return false
  return actor.roles.some(role => role !== 'customer')
}
