// The envelope of a command, from the headers of its request: key, revision, trace id.

import type { FastifyRequest } from 'fastify'
import Type, { type TProperties } from 'typebox'
import { idOf, newId } from '../../commands/core/ids.ts'
import { line } from '../../domain/kernel/text.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { ApiContext } from './context.ts'
import { HttpProblem } from './problems.ts'

/** The Idempotency-Key header in schemas. */
export const keyHeader = line(257, {
  description: 'The same key is the same command: a retry gets the first answer again',
})

/** The headers of a command in schemas. */
export function commandHeaders(on: {
  requireKey?: boolean
  requireMatch?: boolean
  headers?: TProperties
}) {
  const match = line(200, {
    description: 'The ETag of what you have seen: 412 when it has changed since. * is any version',
  })
  return Type.Object({
    'idempotency-key': on.requireKey === true ? keyHeader : Type.Optional(keyHeader),
    'if-match': on.requireMatch === true ? match : Type.Optional(match),
    ...on.headers,
  })
}

/** Throws a 400 problem if the Idempotency-Key header is missing. */
export function requireKey(request: FastifyRequest): void {
  if (idempotencyKey(request) !== undefined) return
  throw new HttpProblem(
    'request/key-required',
    'The Idempotency-Key header is required: a unique text, the same for each retry.',
    { header: 'Idempotency-Key' },
  )
}

/** Throws a 428 problem if the If-Match header is missing. */
export function requireMatch(request: FastifyRequest): void {
  if (request.headers['if-match'] !== undefined) return
  throw new HttpProblem(
    'request/precondition-required',
    'The If-Match header is required: the ETag of the version that was read, or * for any version.',
    { header: 'If-Match' },
  )
}

const once = { once: true } as const

/**
 * The envelope of a request's command. With an Idempotency-Key the command has an id
 * that follows from the key, its caller and the route: the same request again is the same command.
 * Guests with the same cart are the same caller.
 */
export function envelopeOf(
  context: ApiContext,
  request: FastifyRequest,
  input: unknown,
  guestCartId?: string,
): Envelope {
  const key = idempotencyKey(request)
  const anonymous = guestCartId ?? 'anonymous'
  const caller = request.actor.role === 'anonymous' ? anonymous : request.actor.id
  const route = `${request.method} ${request.routeOptions.url}`
  const commandId = key === undefined ? ownId(request) : idOf('key', caller, route, key)
  const correlationId = correlationOf(request) ?? commandId
  const envelope: Envelope = {
    commandId,
    correlationId,
    causationId: commandId,
    actor: request.actor,
    at: context.app.clock.now(),
    ...(key === undefined ? once : { digest: context.fingerprint(JSON.stringify(input)) }),
  }
  const expectedRevision = ifMatch(request)
  if (expectedRevision !== undefined) envelope.expectedRevision = expectedRevision
  if (guestCartId !== undefined) envelope.guestCartId = guestCartId
  return envelope
}

/** The id of the request, so that logs identify the command; a new one if the client set it. */
function ownId({ id, headers }: FastifyRequest): string {
  return headers['x-request-id'] === undefined ? id : newId()
}

/** Shorter keys may be guessed by another client. */
const secretKeyMin = 16

/**
 * A secret that a request and its retries share, for callers without
 * authentication: an HMAC of key, route and sender. Undefined without a long enough key.
 */
export function retryOf(
  { requestKeys }: ApiContext,
  request: FastifyRequest,
  route: string,
): string | undefined {
  const key = idempotencyKey(request)
  if (key === undefined || key.length < secretKeyMin) return undefined
  return requestKeys.derive(route, request.ip, request.headers['user-agent'] ?? '', key)
}

/** Bare or quoted, 1 to 255 characters. Throws a 400 problem for anything else. */
function idempotencyKey(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key']
  if (header === undefined) return undefined
  const text = Array.isArray(header) ? header.join() : header
  const key = /^"(.*)"$/.exec(text)?.[1] ?? text
  if (key.length === 0 || key.length > 255) {
    throw new HttpProblem(
      'request/invalid',
      'The Idempotency-Key header must have 1 to 255 characters.',
    )
  }
  return key
}

/** The trace id of a request (W3C trace context, 32 hex digits) as a UUID. */
function correlationOf(request: FastifyRequest): string | undefined {
  const header = request.headers.traceparent
  const trace = typeof header === 'string' ? /^00-([0-9a-f]{32})-/.exec(header)?.[1] : undefined
  return trace?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The revision of If-Match. Throws a 400 problem when it is not one of our ETags. */
function ifMatch(request: FastifyRequest): number | undefined {
  const header = request.headers['if-match']
  if (header === undefined || header === '*') return undefined
  const revision = /^(?:W\/)?"(\d{1,15})(?:-[\w-]*)?"$/.exec(header)?.[1]
  if (revision === undefined) {
    throw new HttpProblem(
      'request/invalid',
      'The If-Match header must be an ETag of an earlier response.',
    )
  }
  return Number(revision)
}
