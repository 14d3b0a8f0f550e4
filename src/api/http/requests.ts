// What requests carry beside their body: keys, versions, positions, trace ids.

import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type TProperties } from 'typebox'
import { lagAt } from '../../audit/lag.ts'
import { idOf, newId } from '../../commands/core/ids.ts'
import { line } from '../../domain/kernel/text.ts'
import { latest, type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import { hasETag } from './caching.ts'
import type { ApiContext } from './context.ts'
import { claimantOf, forProcess } from './limitKeys.ts'
import { callerOf } from './ownWrites.ts'
import type { PositionWait } from './positions.ts'
import { isPosition, waitMaxMs } from './positions.ts'
import { HttpProblem } from './problems.ts'

/** The Idempotency-Key, as the OpenAPI document has it. */
export const keyHeader = line(257, {
  description: 'The same key is the same command: a retry gets the first answer again',
})

/** The headers of a command, as the OpenAPI document has them. */
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

/** Throws a 400 problem where a request comes without an Idempotency-Key. */
export function requireKey(request: FastifyRequest): void {
  if (idempotencyKey(request) !== undefined) return
  throw new HttpProblem(
    'request/key-required',
    'The Idempotency-Key header is required: a unique text, the same for each retry.',
    { header: 'Idempotency-Key' },
  )
}

/** Throws a 428 problem where a request comes without If-Match. */
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
 * The envelope of the command that a request gives. With an Idempotency-Key the command has an id
 * that follows from the key, its caller and the route: the same request again is the same command.
 * Of people who have not signed in, whoever has the same cart is the same caller.
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

/** The id of the request, so that logs name the command; a new one where the client named it. */
function ownId({ id, headers }: FastifyRequest): string {
  return headers['x-request-id'] === undefined ? id : newId()
}

/** Shorter keys are no secret of whoever sends them: another one may think of the same. */
const secretKeyMin = 16

/**
 * What the retry of a request has in common with it and with no other request, of somebody who has
 * not signed in: an HMAC of key, route and sender. Undefined without a key, or with a short one.
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

/** The trace that a request belongs to: W3C trace context, 32 hex digits, written as a UUID. */
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

/**
 * Sets the ETag of what is shown; true when the client has it already and 304 is the answer. What
 * shows more than one aggregate adds a `variant`, which If-Match leaves aside.
 */
export function isUnchanged(
  request: FastifyRequest,
  reply: FastifyReply,
  revision: number,
  variant?: string,
) {
  const etag = variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`
  reply.header('etag', etag)
  return hasETag(request, etag)
}

/**
 * Waits until projections show what the caller has written, and the position that the client says
 * it wants to see (X-Min-Position or ?minPosition). Throws a 400 problem where the log does not go
 * that far, and a 503 problem with the lag where the projections take more than two seconds
 * altogether, however many there are.
 */
export async function awaitPosition(
  context: ApiContext,
  request: FastifyRequest,
  ...projections: readonly string[]
): Promise<void> {
  const asked = wantedPosition(request)
  if (asked !== undefined) await refuseUnreached(context, asked, projections)
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
      // Perhaps they have written more: that is worth waiting for, and no reason to refuse.
      if (possible > wanted)
        await context.positions.reached({ projection, wanted: possible, claimant, endsBy })
    }),
  )
  request.shows = possible
}

async function refuseUnreached(
  context: ApiContext,
  wanted: Position,
  projections: readonly string[],
): Promise<void> {
  const isShown = projections.every(name => context.positions.known(name) >= wanted)
  if (projections.length === 0 || !isShown) await refuseBeyondHead(context, wanted)
}

/** Throws a 400 problem for a position that the log has not reached. */
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

/** Waits until a projection shows everything that has happened so far; throws like the above. */
export async function awaitNow(context: ApiContext, projection: string): Promise<void> {
  const wanted = await context.eventStore.head()
  await awaitUpTo(context, { projection, wanted, claimant: forProcess })
}

async function awaitUpTo(context: ApiContext, wait: PositionWait): Promise<void> {
  const { positions, eventStore, app } = context
  const position = await positions.reached(wait)
  if (position >= wait.wanted) return
  // What somebody has written is beyond the head where the log was restored from a backup.
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

function wantedPosition(request: FastifyRequest): Position | undefined {
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
