// Answers that may be long: a part of them as JSON, or all of it as NDJSON, one object a line.

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import type { Role } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import type { ApiContext } from './context.ts'
import { awaitPosition } from './requests.ts'
import { problemResponses } from './schemas.ts'

const ndjson = 'application/x-ndjson'
/** Longer than the longest log takes to be read over a slow line. */
const streamTimeoutMs = 4 * 3_600_000
/** A write to the network for so many lines. */
const linesAtOnce = 100

export interface StreamedRoute<Query extends TObject> {
  url: string
  access: readonly Role[]
  summary: string
  tag: string
  operationId: string
  query: Query
  from: readonly string[]
  /** Whether all of it is so much that there may be few of these requests in an hour. */
  bulk?: true
  answer: TSchema
  /** How far positions may go, where that can be further than the log does. */
  reach?: () => Promise<Position>
  handle(
    request: FastifyRequest<{ Querystring: Static<Query> }>,
    reply: FastifyReply,
  ): Promise<unknown>
  lines(request: FastifyRequest<{ Querystring: Static<Query> }>): AsyncIterable<object>
}

/** Whether a request wants all of it. */
export function wantsLines({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /\bapplication\/x-ndjson\b/.test(headers.accept ?? '')
}

/** All lines without a filter come straight from the log: no read model is waited for. */
function isFromLog(request: FastifyRequest): boolean {
  const names = Object.keys(Object(request.query))
  return wantsLines(request) && names.every(name => name === 'after')
}

/**
 * Publishes a read that can be streamed. A line is made when the client has taken those before it,
 * so that nothing piles up. A stream that fails ends without its last chunk, which clients notice;
 * so does one whose reader is signed out, locked out, or loses a role meanwhile.
 */
export function streamedRoute<Query extends TObject>(
  server: FastifyInstance,
  context: ApiContext,
  route: StreamedRoute<Query>,
): void {
  const { url, access, summary, tag, operationId, query, from, bulk, reach, answer } = route
  const open = new Set<Readable>()
  // A server that is to stop does not wait for hours.
  server.addHook('preClose', async () => {
    for (const stream of open) stream.destroy()
  })
  server.get<{ Querystring: Static<Query> }>(
    url,
    {
      config: {
        access,
        patienceMs: streamTimeoutMs,
        ...(bulk && { bulk: wantsLines }),
        ...(reach && { reach }),
      },
      schema: {
        summary,
        tags: [tag],
        operationId,
        querystring: query,
        response: { 200: bothForms(answer), ...problemResponses },
      },
    },
    (request, reply) =>
      server.readLimit(request, async () => {
        if (!isFromLog(request)) await awaitPosition(context, request, ...from)
        if (!wantsLines(request)) {
          reply.type('application/json; charset=utf-8')
          return route.handle(request, reply)
        }
        const connection = server.connections.sit(request, reply, 'export')
        const stream = Readable.from(chunks(route.lines(request)))
        connection.end = () => stream.destroy()
        open.add(stream)
        stream.on('close', () => open.delete(stream))
        return reply.type(ndjson).header('cache-control', 'private, no-store').send(stream)
      }),
  )
}

function bothForms(answer: TSchema) {
  return {
    description: 'A part as JSON; as NDJSON all of it, an object a line',
    content: {
      'application/json': { schema: answer },
      [ndjson]: { schema: Type.String() },
    },
  }
}

async function* chunks(lines: AsyncIterable<object>): AsyncGenerator<string> {
  let chunk: string[] = []
  for await (const line of lines) {
    chunk.push(`${JSON.stringify(line)}\n`)
    if (chunk.length < linesAtOnce) continue
    yield chunk.join('')
    chunk = []
  }
  if (chunk.length > 0) yield chunk.join('')
}
