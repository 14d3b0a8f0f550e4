// Responses to requests that never reach a route: invalid URLs and malformed HTTP.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { newId } from '../../commands/core/ids.ts'
import { drained, isToDrain } from './draining.ts'
import { type ProblemCode, problemTypes, sendProblem } from './problems.ts'
import { dataHeaders } from './secureHeaders.ts'

interface Refusal {
  code: ProblemCode
  detail: string
}

/** For URLs that the router cannot decode, such as %C0%AF, which is not UTF-8. */
export function createFrameworkErrors(on: { https: boolean }) {
  const headers = dataHeaders(on)
  return async (_: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    if (isToDrain(request, reply)) await drained(request.raw)
    reply.headers({ ...headers, 'x-request-id': request.id })
    void sendProblem(reply, 'request/invalid', 'The URL contains an invalid percent encoding.')
  }
}

/** For messages that the HTTP parser cannot read: the connection is closed afterwards. */
export function createClientErrors(on: { https: boolean }) {
  const headers = dataHeaders(on)
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return
    if (socket.writable) socket.write(responseTo(refusalOf(error.code), headers))
    endAfterResponse(socket)
  }
}

/** A client that still sends when its connection is closed may not read the response. */
const lingerMs = 1_000
const ending = new WeakSet<Socket>()

/** Ends the response and discards what is received for a moment. */
function endAfterResponse(socket: Socket): void {
  if (ending.has(socket)) return
  ending.add(socket)
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroySoon())
  socket.end()
  socket.resume()
}

const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    code: 'request/headers-too-large',
    detail: 'Headers and URL must not exceed 16 KiB together.',
  },
  HPE_INVALID_METHOD: {
    code: 'request/method-not-allowed',
    detail: 'The method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request/timeout',
    detail: 'The request was not received in time.',
  },
}

const malformed: Refusal = { code: 'request/invalid', detail: 'The HTTP request is malformed.' }

function refusalOf(code = ''): Refusal {
  return Object.hasOwn(refusals, code) ? (refusals[code] ?? malformed) : malformed
}

function responseTo({ code, detail }: Refusal, secure: Readonly<Record<string, string>>): string {
  const requestId = newId()
  const { status = 400, title = '' } = problemTypes[code] ?? {}
  const body = JSON.stringify({ type: `/problems/${code}`, title, status, detail, requestId })
  const headers = {
    ...secure,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': requestId,
    ...(status === 405 ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {}),
    date: new Date().toUTCString(),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n')
}
