// Callers read what they have written: positions are noted with responses, and reads wait for them.
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { lagAt } from '../../audit/lag.ts'
import { latest, type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import { projections } from '../../projections/index.ts'
import type { ApiContext } from './context.ts'
import { tokenCartId } from './guestCart.ts'
import { claimantOf, forProcess } from './limitKeys.ts'
import { isPosition, type PositionWait, waitMaxMs } from './positions.ts'
import { HttpProblem } from './problems.ts'
import { positionText } from './schemas.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who writes, where no token says so: a guest by their cart, or a new customer. */
    writer: string | undefined
    /** The position that the response has to show at least, once it has been waited for. */
    shows: Position
  }
  interface FastifyContextConfig {
    /** How far positions may go on a route, where that can be further than the log does. */
    reach?: () => Promise<Position>
  }
}

/** The caller whose writes a request has to show; undefined for anonymous ones. */
export function callerOf(request: FastifyRequest): string | undefined {
  const { actor, writer } = request
  if (writer !== undefined) return writer
  return actor.role === 'anonymous' ? tokenCartId(request) : actor.id
}

/**
 * Notes the position of each response to a command before it is sent. If it cannot be shared with
 * other processes, the response waits until all of them show it.
 */
export function useOwnWrites(server: FastifyInstance, context: ApiContext): void {
  server.decorateRequest('writer', undefined)
  server.decorateRequest('shows', startOfLog)
  server.addHook('onSend', (request, reply, payload, done) => {
    const position = reply.getHeader('x-position')
    const caller = request.method === 'GET' ? undefined : callerOf(request)
    if (typeof position !== 'string' || caller === undefined) {
      done(null, payload)
      return
    }
    const send = () => done(null, payload)
    // The command has succeeded, so its response is sent in any case.
    shareWrite(context, { request, caller, position: parsePosition(position) }).then(send, send)
  })
}

/** Shares a caller's position with all processes, or waits until all of them show it. */
async function shareWrite(
  context: ApiContext,
  { request, caller, position }: { request: FastifyRequest; caller: string; position: Position },
): Promise<void> {
  const isNoted = await context.ownWrites.note(caller, position)
  if (!isNoted) await awaitEverywhere(context, request, position)
}

/** Waits until all read models show a position, or two seconds. */
async function awaitEverywhere(
  { positions }: ApiContext,
  request: FastifyRequest,
  wanted: Position,
): Promise<void> {
  const claimant = claimantOf(request)
  await Promise.all(
    projections.map(({ name: projection }) => positions.reached({ projection, wanted, claimant })),
  )
}

/**
 * Waits until projections show what the caller has written, and the position that the client
 * requests (X-Min-Position or ?minPosition). Throws a 400 problem for a position after the head
 * of the log, and a 503 problem with the lag if the projections take more than two seconds
 * altogether.
 */
export async function awaitPosition(
  context: ApiContext,
  request: FastifyRequest,
  ...projections: readonly string[]
): Promise<void> {
  const asked = requestedPosition(request)
  if (asked !== undefined) await refuseUnreachable(context, asked, projections)
  const caller = callerOf(request)
  if (projections.length === 0 || (asked === undefined && caller === undefined)) return
  const own = caller === undefined ? undefined : await context.ownWrites.of(caller)
  const claimant = claimantOf(request)
  const wanted = latest(asked ?? startOfLog, own?.known ?? startOfLog)
  const possible = latest(wanted, own?.possible ?? startOfLog)
  const endsBy = performance.now() + waitMaxMs
  await Promise.all(
    projections.map(async projection => {
      await awaitUpTo(context, { projection, wanted, claimant, endsBy })
      // The caller may have written more: wait for it, but do not refuse.
      if (possible > wanted)
        await context.positions.reached({ projection, wanted: possible, claimant, endsBy })
    }),
  )
  request.shows = possible
}

async function refuseUnreachable(
  context: ApiContext,
  wanted: Position,
  projections: readonly string[],
): Promise<void> {
  const isShown = projections.every(name => context.positions.known(name) >= wanted)
  if (projections.length === 0 || !isShown) await refuseBeyondHead(context, wanted)
}

/** Throws a 400 problem for a position after the head of the log. */
export async function refuseBeyondHead(
  { positions }: Pick<ApiContext, 'positions'>,
  wanted: Position,
  pointer = '/minPosition',
): Promise<void> {
  const head = await positions.headBefore(wanted)
  if (head === undefined) return
  const detail = `The log ends at position ${head}. Use a position of an earlier response.`
  throw new HttpProblem('request/invalid', detail, {
    errors: [{ pointer, detail: `must not be greater than ${head}` }],
    head: String(head),
  })
}

/** Waits until a projection has reached the head of the log; throws like awaitPosition. */
export async function awaitNow(context: ApiContext, projection: string): Promise<void> {
  const wanted = await context.eventStore.head()
  await awaitUpTo(context, { projection, wanted, claimant: forProcess })
}

async function awaitUpTo(context: ApiContext, wait: PositionWait): Promise<void> {
  const { positions, eventStore, app } = context
  const position = await positions.reached(wait)
  if (position >= wait.wanted) return
  // After a restore from a backup, a caller's position may be after the head.
  if ((await positions.headBefore(wait.wanted)) !== undefined) return
  throw new HttpProblem(
    'request/projection-behind',
    'The read model has not reached the requested position. Try again.',
    {
      position: String(position),
      lag: await lagAt(eventStore, { position, head: wait.wanted, now: app.clock.now() }),
    },
  )
}

function requestedPosition(request: FastifyRequest): Position | undefined {
  const header = request.headers['x-min-position']
  const { query } = request
  const fromQuery =
    typeof query === 'object' && query !== null && 'minPosition' in query ? query.minPosition : null
  const text = header ?? fromQuery
  if (text === null || text === undefined) return undefined
  if (typeof text !== 'string' || !isPosition(text)) {
    throw new HttpProblem('request/invalid', 'A position is a whole number of up to 18 digits.', {
      errors: [
        {
          pointer: header === undefined ? '/minPosition' : 'X-Min-Position',
          detail: 'must be a whole number of up to 18 digits',
        },
      ],
    })
  }
  return parsePosition(text)
}

/**
 * Refuses positions after the head with 400, if the schema of a route says that a field of
 * its query or its body is a position. In a path it identifies a missing resource: 404.
 */
export function refusePositionsBeyondHead(
  server: FastifyInstance,
  context: Pick<ApiContext, 'positions'>,
): void {
  server.addHook('onRoute', route => {
    const { schema, config } = route
    const inQuery = positionsIn(schema?.querystring)
    const inBody = positionsIn(schema?.body)
    if (inQuery.length + inBody.length === 0) return
    const refuse = async ({ query, body }: FastifyRequest) => {
      for (const [field, wanted] of [...given(query, inQuery), ...given(body, inBody)]) {
        if (config?.reach !== undefined && wanted <= (await config.reach())) continue
        await refuseBeyondHead(context, wanted, `/${field}`)
      }
    }
    route.preHandler = [refuse, ...handlersOf(route)]
  })
}

/** The positions among the given fields of a request. */
function given(values: unknown, fields: readonly string[]): [string, Position][] {
  return fields.flatMap((field): [string, Position][] => {
    const text: unknown = Object(values)[field]
    return typeof text === 'string' && isPosition(text) ? [[field, parsePosition(text)]] : []
  })
}

function handlersOf({ preHandler }: RouteOptions) {
  if (preHandler === undefined) return []
  return Array.isArray(preHandler) ? preHandler : [preHandler]
}

/** The fields of a schema that are positions. */
function positionsIn(schema: unknown): string[] {
  const properties: object = Object(Object(schema).properties)
  return Object.entries(properties)
    .filter(([, field]) => Object(field).description === positionText)
    .map(([name]) => name)
}
