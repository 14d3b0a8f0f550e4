// Whoever has written sees it: the position of each answer is noted for its caller.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import { projections } from '../../projections/index.ts'
import { tokenCartId } from './cartToken.ts'
import type { ApiContext } from './context.ts'
import { claimantOf } from './limitKeys.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who writes, where that is not said by a token: a guest by their cart, or a new customer. */
    writer: string | undefined
    /** The position that an answer has to show at least, once it has been waited for. */
    shows: Position
  }
}

/** Whose writes a request has to see; undefined for strangers, who have none. */
export function callerOf(request: FastifyRequest): string | undefined {
  const { actor, writer } = request
  if (writer !== undefined) return writer
  return actor.role === 'anonymous' ? tokenCartId(request) : actor.id
}

/**
 * Notes the position of every answer to a command before it is sent. Where other processes cannot
 * be told, the answer waits until they all show what was written.
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
    // What was written stays written: an answer never fails because somebody cannot be told.
    tellEverybody(context, { request, caller, position: parsePosition(position) }).then(send, send)
  })
}

/** Notes what a caller has written for all processes, or waits until all of them show it. */
async function tellEverybody(
  context: ApiContext,
  { request, caller, position }: { request: FastifyRequest; caller: string; position: Position },
): Promise<void> {
  const isNoted = await context.ownWrites.note(caller, position)
  if (!isNoted) await shownEverywhere(context, request, position)
}

/** Waits until all read models show a position, or two seconds. */
async function shownEverywhere(
  { positions }: ApiContext,
  request: FastifyRequest,
  wanted: Position,
): Promise<void> {
  const claimant = claimantOf(request)
  await Promise.all(
    projections.map(({ name: projection }) => positions.reached({ projection, wanted, claimant })),
  )
}
