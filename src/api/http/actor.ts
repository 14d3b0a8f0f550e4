// Who asks: the access token of a request, as an actor.
import type { FastifyRequest } from 'fastify'
import { type Actor, type Role, roles } from '../../domain/kernel/types.ts'
import type { Sessions, Tokens, VerifiedClaims } from '../../ports/accounts.ts'
import type { CurrentRoles } from './currentRoles.ts'
import { HttpProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor
    sessionId: string | undefined
    /** When what the request proves itself with is good no more. */
    tokenEndsAt: Date | undefined
  }
  interface FastifyContextConfig {
    /** Roles that may use a route; `public` for anyone. A route has to say one of the two. */
    access?: 'public' | readonly Role[]
    /** Whether a session that has ended meanwhile is noticed at once; for staff it always is. */
    fresh?: boolean
    /** The cookie that may bring the token, where pages are shown that only look at things. */
    cookie?: string
  }
}

/** From the most to the least: the role in which somebody with several is recorded. */
const ranking: readonly Role[] = ['admin', 'support', 'warehouse', 'auditor', 'customer']

/** What tells who asks. */
export interface Identity {
  tokens: Tokens
  sessions: Sessions
  currentRoles: CurrentRoles
  /** How long a connection may last that was opened with a ticket: as long as with a token. */
  ticketLifeSeconds: number
}

/** The actor that a token speaks for. Throws a 401 problem when it is not valid. */
export async function actorOf(identity: Identity, jwt: string, fresh = false) {
  const claims = await identity.tokens.verifyAccess(jwt)
  if (claims === undefined) throw invalid()
  return inRolesOfNow(identity, claims, fresh)
}

/** Whoever a ticket was given to. Throws a 401 problem when it was used, or is too old. */
async function holderOf(identity: Identity, ticket: string) {
  const holder = await identity.sessions.redeemTicket(ticket)
  if (holder === undefined) throw invalid()
  const { customerId, family: sessionId } = holder
  const endsAt = new Date(Date.now() + identity.ticketLifeSeconds * 1_000)
  return inRolesOfNow(identity, { customerId, sessionId, roles, endsAt }, true)
}

/** A token knows neither that its session has ended nor which roles are gone. */
async function inRolesOfNow(identity: Identity, claims: VerifiedClaims, fresh: boolean) {
  const { customerId: id, sessionId } = claims
  const isShopper = claims.roles.every(role => role === 'customer')
  const currentRoles = identity.currentRoles(claims)
  const [current, isOpen] =
    isShopper && !fresh
      ? [await currentRoles, true]
      : await Promise.all([currentRoles, identity.sessions.isGood(id, sessionId)])
  if (current === undefined || !isOpen) throw invalid()
  const role = ranking.find(each => current.includes(each)) ?? 'customer'
  const actor: Actor = { role, id, roles: current }
  return { actor, sessionId, endsAt: claims.endsAt }
}

function invalid() {
  return new HttpProblem('request/unauthenticated', 'The access token is invalid or has expired.')
}

interface Proof {
  scheme: 'bearer' | 'ticket'
  token: string
}

/** What is behind it is looked at by whoever knows which tokens are good. */
const bearer = /^bearer ./i

/** What a request proves its sender with, an empty token for one that is malformed. */
function proofOf({ headers, routeOptions }: FastifyRequest): Proof | undefined {
  const { authorization, upgrade } = headers
  if (authorization !== undefined) {
    return { scheme: 'bearer', token: bearer.test(authorization) ? authorization.slice(7) : '' }
  }
  const { cookie } = routeOptions.config
  if (cookie !== undefined) return cookieProof(headers.cookie ?? '', cookie)
  if (upgrade?.toLowerCase() !== 'websocket') return undefined
  // `bearer, <token>` or `ticket, <ticket>`: the only header that browsers let a page set.
  const [scheme, token = ''] = (headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/)
  return scheme === 'bearer' || scheme === 'ticket' ? { scheme, token } : undefined
}

function cookieProof(cookies: string, wanted: string): Proof | undefined {
  const pairs = cookies.split(/;\s*/).map(pair => pair.split('='))
  const token = pairs.find(([name]) => name === wanted)?.[1]
  if (token === undefined) return undefined
  return { scheme: 'bearer', token: /^[\w.-]{1,8192}$/.test(token) ? token : '' }
}

/** Reads the token, and refuses whom the route is not for. */
export async function authenticate(identity: Identity, request: FastifyRequest): Promise<void> {
  const { access, fresh } = request.routeOptions.config
  const proof = proofOf(request)
  if (proof !== undefined) {
    const { scheme, token } = proof
    const asked = scheme === 'ticket' ? holderOf(identity, token) : actorOf(identity, token, fresh)
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

/** Throws a 401 or 403 problem unless somebody of the staff asks; `what` they alone may do. */
export function assertStaff({ actor }: Pick<FastifyRequest, 'actor'>, what: string): void {
  if (isStaff(actor)) return
  if (actor.role === 'anonymous') {
    throw new HttpProblem('request/unauthenticated', `${what}. Authentication is required.`)
  }
  throw new HttpProblem('command/forbidden', `${what}.`)
}

/** Whether whoever asks belongs to the staff, or audits it. */
export function isStaff(actor: Actor): boolean {
  if (actor.role === 'anonymous' || actor.role === 'system') return false
  return actor.roles.some(role => role !== 'customer')
}
