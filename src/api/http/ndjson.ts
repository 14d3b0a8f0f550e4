// Long results: a page as JSON, or all of it as NDJSON, one object a line.

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type TObject, type TSchema } from 'typebox'
import type { Position } from '../../kit/position.ts'
import type { ApiContext } from './context.ts'
import { awaitPosition } from './readYourWrites.ts'
import { type Nothing, publish, type RequestOf, type RouteBasics } from './route.ts'

const ndjson = 'application/x-ndjson'
/** Longer than reading the longest log over a slow connection takes. */
const streamTimeoutMs = 4 * 3_600_000
/** Lines in one write to the network. */
const linesAtOnce = 100

export interface StreamedRoute<Query extends TObject> extends RouteBasics {
  query: Query
  from: readonly string[]
  /** Whether a full export is so large that few of them are allowed in an hour. */
  bulk?: true
  answer: TSchema
  /** How far positions may go, where that can be further than the log does. */
  reach?: () => Promise<Position>
  handle(request: RequestOf<Nothing, Query>, reply: FastifyReply): Promise<unknown>
  lines(request: RequestOf<Nothing, Query>): AsyncIterable<object>
}

/** Whether a request accepts NDJSON. */
export function acceptsNdjson({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /\bapplication\/x-ndjson\b/.test(headers.accept ?? '')
}

/** An export without filters is read from the log, so no read model is waited for. */
function isFromLog(request: FastifyRequest): boolean {
  const names = Object.keys(Object(request.query))
  return acceptsNdjson(request) && names.every(name => name === 'after')
}

/**
 * Publishes a read that can be streamed, at the pace of its client. A stream that fails ends
 * without its last chunk, which clients notice. It also ends when its reader is signed out,
 * locked or loses a role.
 */
export function streamedRoute<Query extends TObject>(
  server: FastifyInstance,
  context: ApiContext,
  route: StreamedRoute<Query>,
): void {
  const { from, bulk, reach, answer, handle, lines, ...operation } = route
  const open = new Set<Readable>()
  // Shutting down does not wait for exports.
  server.addHook('preClose', async () => {
    for (const stream of open) stream.destroy()
  })
  publish<Nothing, Query>(server, {
    ...operation,
    method: 'GET',
    config: {
      timeoutMs: streamTimeoutMs,
      ...(bulk && { bulk: acceptsNdjson }),
      ...(reach && { reach }),
    },
    answer: bothForms(answer),
    handle: (request, reply) =>
      server.readLimit(request, async () => {
        if (!isFromLog(request)) await awaitPosition(context, request, ...from)
        if (!acceptsNdjson(request)) {
          reply.type('application/json; charset=utf-8')
          return handle(request, reply)
        }
        const connection = server.connections.open(request, reply, 'export')
        const stream = Readable.from(chunks(lines(request)))
        connection.end = () => stream.destroy()
        open.add(stream)
        stream.on('close', () => open.delete(stream))
        return reply.type(ndjson).header('cache-control', 'private, no-store').send(stream)
      }),
  })
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
