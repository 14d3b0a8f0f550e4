// Who follows live: from which pages, how many at once, and for as long as they may.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Role } from '../domain/types.ts'
import { isStaff, signedIn } from './actor.ts'
import type { ApiContext } from './context.ts'
import { HttpProblem } from './problems.ts'

/** How often it is looked whether the sessions of those who follow are still open. */
const lookMs = 900

/** The codes with which connections end; those from 4000 on are ours. */
export const closing = { goingAway: 1001, tooMuch: 1008, tooSlow: 1013, signedOut: 4401 } as const

/** One connection that is open, or is about to be. */
export interface Seat {
  customerId: string
  sessionId: string
  roles: readonly Role[]
  endsAt: Date
  /** Ends the connection; until there is one, it is kept from opening. */
  end: (code: number, why: string) => void
  leave(): void
}

export interface Connections {
  /** For routes that follow live: refuses foreign pages and whoever has enough connections. */
  enter(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** The seat that a request has been given. */
  seatOf(request: FastifyRequest): Seat
}

/** Keeps the book of this process, and ends what may not go on. */
export function createConnections(app: FastifyInstance, context: ApiContext): Connections {
  const { liveConnectionsEach, liveConnectionsMax } = context.config
  const seats = new Set<Seat>()
  const given = new WeakMap<FastifyRequest, Seat>()
  endThoseWhoMayNot(app, context, seats)

  function refuseMore(customerId: string): void {
    if (seats.size >= liveConnectionsMax) {
      throw new HttpProblem('request/unavailable', 'Too many connections follow orders already.')
    }
    const own = [...seats].filter(seat => seat.customerId === customerId).length
    if (own < liveConnectionsEach) return
    throw new HttpProblem('request/too-many', 'You have enough connections: close one first.', {
      policy: 'live-connections',
      retryAfterSeconds: 10,
    })
  }

  return {
    async enter(request, reply) {
      try {
        refuseForeign(request, context)
        refuseMore(signedIn(request))
      } catch (refused) {
        request.log.warn({ event: 'live-refused', why: String(refused) }, 'may not follow')
        throw refused
      }
      const seat = seatFor(request, () => seats.delete(seat))
      seats.add(seat)
      given.set(request, seat)
      // An upgrade leaves its response behind at once; its socket is what lasts.
      if (request.ws) request.raw.socket.once('close', seat.leave)
      else reply.raw.once('close', seat.leave)
    },
    seatOf(request) {
      const seat = given.get(request)
      if (seat === undefined) throw new Error('a connection without a seat')
      return seat
    },
  }
}

function seatFor(request: FastifyRequest, leave: () => void): Seat {
  const { actor, sessionId = '', tokenEndsAt = new Date() } = request
  const roles = actor.role === 'anonymous' || actor.role === 'system' ? [] : actor.roles
  const end = () => request.raw.socket.destroy()
  return { customerId: signedIn(request), sessionId, roles, endsAt: tokenEndsAt, end, leave }
}

/**
 * A page of another origin could open a WebSocket with what its visitor's browser knows. Browsers
 * say where a page is from and cannot be made to lie about it; what sends no Origin is no browser.
 */
function refuseForeign({ headers }: FastifyRequest, { config }: ApiContext): void {
  const { origin } = headers
  if (origin === undefined) return
  if ([...ownOrigins(config.publicUrl), ...config.corsOrigins].includes(origin)) return
  throw new HttpProblem('command/forbidden', 'Pages of this origin may not follow orders.')
}

const loopback = ['localhost', '127.0.0.1', '[::1]']

/** The shop's own; on somebody's own machine under each name that the machine has for itself. */
function ownOrigins(publicUrl: string): string[] {
  const { protocol, hostname, port, origin } = new URL(publicUrl)
  if (!loopback.includes(hostname)) return [origin]
  return loopback.map(name => new URL(`${protocol}//${name}:${port}`).origin)
}

/** Tokens end, sessions are closed, people are locked out and lose roles: all of it counts here. */
function endThoseWhoMayNot(
  app: FastifyInstance,
  context: ApiContext,
  seats: ReadonlySet<Seat>,
): void {
  const ended = expiring(seats)
  const looking = setInterval(() => {
    // While the database is away nobody can be locked out either; the next look finds it.
    endSignedOut(context, seats).catch(() => undefined)
  }, lookMs)
  app.addHook('onClose', async () => {
    clearInterval(looking)
    clearInterval(ended)
  })
}

function expiring(seats: ReadonlySet<Seat>) {
  return setInterval(() => {
    const now = new Date()
    for (const seat of seats) if (seat.endsAt <= now) seat.end(closing.signedOut, 'token expired')
  }, 500)
}

async function endSignedOut(context: ApiContext, seats: ReadonlySet<Seat>): Promise<void> {
  const open = [...seats]
  if (open.length === 0) return
  const { sessions } = context.accounts
  const good = await sessions.goodOf(open.map(({ sessionId }) => sessionId))
  for (const seat of open) {
    if (!good.has(seat.sessionId)) seat.end(closing.signedOut, 'signed out')
  }
  const staff = open.filter(({ roles }) => isStaff({ role: 'customer', id: '', roles }))
  await Promise.all(
    staff.map(async seat => {
      const { state } = await context.shop.customers.load(seat.customerId)
      const current = state.status === 'registered' ? state.roles : []
      if (seat.roles.some(role => !current.includes(role))) {
        seat.end(closing.signedOut, 'roles have changed')
      }
    }),
  )
}
