// Positions in what a request asks for: none may be beyond the end of the log, on any route.

import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { type Position, parsePosition } from '../../kit/position.ts'
import type { ApiContext } from './context.ts'
import { isPosition } from './positions.ts'
import { refuseBeyondHead } from './requests.ts'
import { positionText } from './schemas.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How far positions may go on a route, where that can be further than the log does. */
    reach?: () => Promise<Position>
  }
}

/**
 * Refuses positions beyond the head with 400, wherever the schema of a route says that a field of
 * its query or its body is one. One in a path names a thing that is not there: 404.
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

/** Those of the fields that a request has. */
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
