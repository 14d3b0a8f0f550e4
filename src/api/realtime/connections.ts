// Answers that last: from which pages, how many at once, and for as long as they may.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../config/config.ts'
import type { Role } from '../../domain/kernel/types.ts'
import { isStaff, signedIn } from '../http/actor.ts'
import { addressOf } from '../http/addresses.ts'
import type { ApiContext } from '../http/context.ts'
import { rolesNow } from '../http/currentRoles.ts'
import { forCustomers } from '../http/limitKeys.ts'
import { HttpProblem } from '../http/problems.ts'

/** How often it is looked whether the sessions of those who follow are still open. */
const lookMs = 900

/** The codes with which connections end; those from 4000 on are ours. */
export const closing = { goingAway: 1001, tooMuch: 1008, tooSlow: 1013, signedOut: 4401 } as const

/** What a connection is for: each kind is counted by itself for each person. */
export type ConnectionKind = 'orders' | 'progress' | 'export'

/** One connection that is open, or is about to be. */
export interface LiveConnection {
  kind: ConnectionKind
  customerId: string
  sessionId: string
  roles: readonly Role[]
  /** The address it comes from. */
  address: string
  isStaff: boolean
  /** When it ends by itself; undefined where that is when it is done. */
  endsAt: Date | undefined
  /** Ends the connection; until there is one, it is kept from opening. */
  end: (code: number, why: string) => void
  leave(): void
}

export interface Connections {
  /** For routes that follow orders: refuses foreign pages and whoever has enough connections. */
  enter(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** The seat that a request has been given. */
  connectionOf(request: FastifyRequest): LiveConnection
  /**
   * A seat for an answer that lasts: it is ended with the session, the account or a role of whoever
   * reads it. Throws a problem where there is no room.
   */
  sit(request: FastifyRequest, reply: FastifyReply, kind: ConnectionKind): LiveConnection
}

declare module 'fastify' {
  interface FastifyInstance {
    connections: Connections
  }
}

/** Keeps the book of this process, and ends what may not go on. */
export function useConnections(server: FastifyInstance, context: ApiContext): void {
  const connections = new Set<LiveConnection>()
  const given = new WeakMap<FastifyRequest, LiveConnection>()
  endThoseWhoMayNot(server, context, connections)

  function sit(request: FastifyRequest, reply: FastifyReply, kind: ConnectionKind): LiveConnection {
    const connection = createConnection(request, kind, () => connections.delete(connection))
    noted(request, () => refuseMore(context.config, connections, connection))
    connections.add(connection)
    // An upgrade leaves its response behind at once; its socket is what lasts.
    if (request.ws) request.raw.socket.once('close', connection.leave)
    else reply.raw.once('close', connection.leave)
    return connection
  }

  server.decorate('connections', {
    sit,
    async enter(request, reply) {
      noted(request, () => refuseForeign(request, context))
      const connection = sit(request, reply, 'orders')
      connection.endsAt = request.tokenEndsAt ?? new Date()
      given.set(request, connection)
    },
    connectionOf(request) {
      const connection = given.get(request)
      if (connection === undefined) throw new Error('a connection without a seat')
      return connection
    },
  })
}

/** Looks whether somebody may follow; refusals are in the log. */
function noted(request: FastifyRequest, look: () => void): void {
  try {
    look()
  } catch (refused) {
    request.log.warn({ event: 'live-refused', why: String(refused) }, 'may not follow')
    throw refused
  }
}

/** So many places for one person, for one address, for all customers, and for everybody. */
function refuseMore(
  config: Config,
  connections: ReadonlySet<LiveConnection>,
  asking: LiveConnection,
): void {
  const { liveConnectionsEach: each, liveConnectionsMax: max } = config
  const count = (isCounted: (connection: LiveConnection) => boolean) =>
    [...connections].filter(isCounted).length
  const isOwn = ({ customerId, kind }: LiveConnection) =>
    customerId === asking.customerId && kind === asking.kind
  if (count(isOwn) >= each) {
    throw enough(
      'The limit of connections for one account is reached. Close one first.',
      'live-connections',
    )
  }
  // At least one member of the staff finds as many as anybody may have.
  const customersMax = forCustomers(max, each)
  const isFull =
    connections.size >= max ||
    (!asking.isStaff && count(connection => !connection.isStaff) >= customersMax)
  if (isFull) {
    throw new HttpProblem(
      'request/unavailable',
      'The limit of open connections is reached. Try again later.',
    )
  }
  if (asking.isStaff) return
  const isNeighbour = ({ address, isStaff: staff }: LiveConnection) =>
    !staff && address === asking.address
  if (count(isNeighbour) >= Math.max(each, Math.ceil(customersMax / 2))) {
    throw enough(
      'The limit of connections from one address is reached.',
      'live-connections-address',
    )
  }
}

function enough(detail: string, policy: string) {
  return new HttpProblem('request/too-many', detail, { policy, retryAfterSeconds: 10 })
}

function createConnection(
  request: FastifyRequest,
  kind: ConnectionKind,
  leave: () => void,
): LiveConnection {
  const { actor, sessionId = '' } = request
  return {
    kind,
    customerId: signedIn(request),
    sessionId,
    roles: actor.role === 'anonymous' || actor.role === 'system' ? [] : actor.roles,
    address: addressOf(request.ip),
    isStaff: isStaff(actor),
    endsAt: undefined,
    end: () => request.raw.socket.destroy(),
    leave,
  }
}

/**
 * A page of another origin could open a WebSocket with what its visitor's browser knows. Browsers
 * say where a page is from and cannot be made to lie about it; what sends no Origin is no browser.
 */
function refuseForeign({ headers }: FastifyRequest, { config }: ApiContext): void {
  const { origin } = headers
  if (origin === undefined) return
  if ([...ownOrigins(config.publicUrl), ...config.corsOrigins].includes(origin)) return
  throw new HttpProblem('command/forbidden', 'Live updates are not allowed from this origin.')
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
  server: FastifyInstance,
  context: ApiContext,
  connections: ReadonlySet<LiveConnection>,
): void {
  const ended = expiring(connections)
  const looking = setInterval(() => {
    // While the database is away nobody can be locked out either; the next look finds it.
    endSignedOut(context, connections).catch(() => undefined)
  }, lookMs)
  server.addHook('onClose', async () => {
    clearInterval(looking)
    clearInterval(ended)
  })
}

function expiring(connections: ReadonlySet<LiveConnection>) {
  return setInterval(() => {
    const now = new Date()
    for (const connection of connections) {
      if (connection.endsAt !== undefined && connection.endsAt <= now) {
        connection.end(closing.signedOut, 'token expired')
      }
    }
  }, 500)
}

async function endSignedOut(
  context: ApiContext,
  connections: ReadonlySet<LiveConnection>,
): Promise<void> {
  const open = [...connections]
  if (open.length === 0) return
  const { sessions } = context.accounts
  const good = await sessions.goodOf(open.map(({ sessionId }) => sessionId))
  for (const connection of open) {
    if (!good.has(connection.sessionId)) connection.end(closing.signedOut, 'signed out')
  }
  await Promise.all(
    open
      .filter(connection => connection.isStaff)
      .map(async connection => {
        const current = (await rolesNow(context.app, connection.customerId)) ?? []
        if (connection.roles.some(role => !current.includes(role))) {
          connection.end(closing.signedOut, 'roles have changed')
        }
      }),
  )
}
