// Long-lived responses: their limits, and ending them when their reader loses access.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../config/config.ts'
import type { Role } from '../../domain/kernel/types.ts'
import { isStaff, signedIn } from '../http/actor.ts'
import { addressOf } from '../http/addresses.ts'
import type { ApiContext } from '../http/context.ts'
import { rolesNow } from '../http/currentRoles.ts'
import { forCustomers } from '../http/limitKeys.ts'
import { HttpProblem } from '../http/problems.ts'

/** How often the sessions of open connections are checked. */
const checkMs = 900

/** WebSocket close codes; those from 4000 on are our own. */
export const closing = { goingAway: 1001, tooMuch: 1008, tooSlow: 1013, signedOut: 4401 } as const

/** The purpose of a connection: each kind has its own limit for each user. */
export type ConnectionKind = 'orders' | 'progress' | 'export'

/** A connection that is open or about to be opened. */
export interface LiveConnection {
  kind: ConnectionKind
  customerId: string
  sessionId: string
  roles: readonly Role[]
  /** The address it comes from. */
  address: string
  isStaff: boolean
  /** When it expires; undefined if it ends with its work. */
  expiresAt: Date | undefined
  /** Closes the connection, or prevents it from opening. */
  end: (code: number, why: string) => void
  remove(): void
}

export interface Connections {
  /** For routes that follow orders: checks the origin and the limits of connections. */
  admit(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** The connection of a request. */
  connectionOf(request: FastifyRequest): LiveConnection
  /**
   * Opens a connection for a long-lived response: it is ended with the session, the account or a
   * role of its reader. Throws a problem above the limits.
   */
  open(request: FastifyRequest, reply: FastifyReply, kind: ConnectionKind): LiveConnection
}

declare module 'fastify' {
  interface FastifyInstance {
    connections: Connections
  }
}

/** Tracks the connections of this process and ends those without access. */
export function useConnections(server: FastifyInstance, context: ApiContext): void {
  const connections = new Set<LiveConnection>()
  const byRequest = new WeakMap<FastifyRequest, LiveConnection>()
  endRevoked(server, context, connections)

  function open(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: ConnectionKind,
  ): LiveConnection {
    const connection = createConnection(request, kind, () => connections.delete(connection))
    logRefusal(request, () => enforceLimits(context.config, connections, connection))
    connections.add(connection)
    // After an upgrade only the socket remains.
    if (request.ws) request.raw.socket.once('close', connection.remove)
    else reply.raw.once('close', connection.remove)
    return connection
  }

  server.decorate('connections', {
    open,
    async admit(request, reply) {
      logRefusal(request, () => refuseForeign(request, context))
      const connection = open(request, reply, 'orders')
      connection.expiresAt = request.tokenEndsAt ?? new Date()
      byRequest.set(request, connection)
    },
    connectionOf(request) {
      const connection = byRequest.get(request)
      if (connection === undefined) throw new Error('the request has no connection')
      return connection
    },
  })
}

/** Runs a check and logs its refusal. */
function logRefusal(request: FastifyRequest, look: () => void): void {
  try {
    look()
  } catch (refused) {
    request.log.warn({ event: 'live-refused', why: String(refused) }, 'may not follow')
    throw refused
  }
}

/** Enforces the limits for one user, for one address, for all customers, and in total. */
function enforceLimits(
  config: Config,
  connections: ReadonlySet<LiveConnection>,
  added: LiveConnection,
): void {
  const { liveConnectionsEach: each, liveConnectionsMax: max } = config
  const count = (isCounted: (connection: LiveConnection) => boolean) =>
    [...connections].filter(isCounted).length
  const isOwn = ({ customerId, kind }: LiveConnection) =>
    customerId === added.customerId && kind === added.kind
  if (count(isOwn) >= each) {
    throw limitReached(
      'The limit of connections for one account is reached. Close one first.',
      'live-connections',
    )
  }
  // At least one member of staff can have as many connections as allowed.
  const customersMax = forCustomers(max, each)
  const isFull =
    connections.size >= max ||
    (!added.isStaff && count(connection => !connection.isStaff) >= customersMax)
  if (isFull) {
    throw new HttpProblem(
      'request/unavailable',
      'The limit of open connections is reached. Try again later.',
    )
  }
  if (added.isStaff) return
  const isSameAddress = ({ address, isStaff: staff }: LiveConnection) =>
    !staff && address === added.address
  if (count(isSameAddress) >= Math.max(each, Math.ceil(customersMax / 2))) {
    throw limitReached(
      'The limit of connections from one address is reached.',
      'live-connections-address',
    )
  }
}

function limitReached(detail: string, policy: string) {
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
    expiresAt: undefined,
    end: () => request.raw.socket.destroy(),
    remove: leave,
  }
}

/**
 * A page of another origin could open a WebSocket with the credentials of its visitor. Browsers
 * always send the origin; a client that sends none is not a browser.
 */
function refuseForeign({ headers }: FastifyRequest, { config }: ApiContext): void {
  const { origin } = headers
  if (origin === undefined) return
  if ([...ownOrigins(config.publicUrl), ...config.corsOrigins].includes(origin)) return
  throw new HttpProblem('command/forbidden', 'Live updates are not allowed from this origin.')
}

const loopback = ['localhost', '127.0.0.1', '[::1]']

/** The origins of the shop; for a local one, those of all names of the loopback interface. */
function ownOrigins(publicUrl: string): string[] {
  const { protocol, hostname, port, origin } = new URL(publicUrl)
  if (!loopback.includes(hostname)) return [origin]
  return loopback.map(name => new URL(`${protocol}//${name}:${port}`).origin)
}

/** Ends connections when tokens expire, sessions end, accounts are locked or roles are revoked. */
function endRevoked(
  server: FastifyInstance,
  context: ApiContext,
  connections: ReadonlySet<LiveConnection>,
): void {
  const ended = endExpired(connections)
  const checks = setInterval(() => {
    // While the database is unavailable no access is revoked either.
    endSignedOut(context, connections).catch(() => undefined)
  }, checkMs)
  server.addHook('onClose', async () => {
    clearInterval(checks)
    clearInterval(ended)
  })
}

function endExpired(connections: ReadonlySet<LiveConnection>) {
  return setInterval(() => {
    const now = new Date()
    for (const connection of connections) {
      if (connection.expiresAt !== undefined && connection.expiresAt <= now) {
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
