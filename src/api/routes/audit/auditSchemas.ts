// The shapes of what auditors are answered.

import Type from 'typebox'
import { problems } from '../../../audit/chainFault.ts'
import { code, isInstant, line } from '../../../domain/kernel/text.ts'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import { earliest, type Position as LogPosition, parsePosition } from '../../../kit/position.ts'
import { HttpProblem } from '../../http/problems.ts'
import { integer, many, nullable, Position, text, time } from '../../http/schemas.ts'

export const tag = 'Audit'
/** Who may look at everything; auditors change nothing. */
export const access = ['auditor', 'admin'] as const

const anything = Type.Object({}, { additionalProperties: true })
const actor = Type.Object(
  { role: Type.Enum(['anonymous', 'system', ...roles]), id: nullable(text(200)) },
  strict,
)

export const Event = Type.Object(
  {
    position: Position,
    stream: text(500),
    revision: integer,
    id: Id,
    type: text(200),
    data: anything,
    at: nullable(time),
    recordedAt: time,
    actor: nullable(actor),
    commandId: nullable(text(100)),
    correlationId: nullable(text(100)),
    causationId: nullable(text(100)),
    source: nullable(text(500)),
    readable: Type.Boolean(),
  },
  strict,
)
export const Events = Type.Object(
  { data: many(Event, 1_000), nextCursor: Type.Optional(Position) },
  strict,
)

/** Streams of the store itself, which start with a dollar, are not the shop's. */
export const Stream = code(
  '^[A-Za-z][^\\p{C}]{0,199}$',
  200,
  'The name of a stream, such as order-01980000-0000-7000-8000-000000000001',
)
export const Limit = Type.Integer({ minimum: 1, maximum: 100, default: 50 })

export const EventQuery = Type.Object(
  {
    after: Type.Optional(Position),
    type: Type.Optional(line(100)),
    stream: Type.Optional(Stream),
    actor: Type.Optional(line(200)),
    correlationId: Type.Optional(Id),
    from: Type.Optional(time),
    to: Type.Optional(time),
    limit: Type.Optional(Limit),
    minPosition: Type.Optional(Position),
  },
  strict,
)

/** Until when: a revision, or a time. */
export const Until = Type.String({
  maxLength: 40,
  pattern:
    '^(\\d{1,9}|\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d))$',
  description: 'A revision, or a time as in RFC 3339',
})

const then = {
  stream: text(200),
  revision: integer,
  position: Position,
  at: time,
  unreadable: nullable(integer),
  inTimeOrder: Type.Boolean({
    description: 'False where the stream has recorded some events after others that happened later',
  }),
}

export const StateThen = Type.Object({ ...then, state: anything }, strict)
const Difference = Type.Object(
  {
    pointer: text(2_000),
    from: Type.Optional(Type.Unknown()),
    to: Type.Optional(Type.Unknown()),
  },
  strict,
)
export const StateChange = Type.Object(
  {
    stream: text(200),
    from: nullable(Type.Object(then, strict)),
    to: Type.Object(then, strict),
    differences: many(Difference),
    events: many(Event, 1_000),
  },
  strict,
)

export const Checkpoint = Type.Object(
  {
    position: Position,
    after: Position,
    /** False for a forgery: then nothing else is known of it. */
    valid: Type.Boolean(),
    count: nullable(integer),
    hash: nullable(text(64)),
    at: nullable(time),
    signed: text(4_000),
  },
  strict,
)
export const Checkpoints = Type.Object(
  { data: many(Checkpoint, 100), nextCursor: Type.Optional(Position) },
  strict,
)

export const Fault = Type.Object(
  { position: Position, problem: Type.Enum([...problems]), detail: text(500) },
  strict,
)
export const StateFinding = Type.Object(
  { check: text(200), key: text(1_000), detail: text(1_000) },
  strict,
)
export const Verification = Type.Object(
  {
    /** Nothing that was checked is wrong. It says nothing about events that are not signed yet. */
    ok: Type.Boolean(),
    /** Everything behind `after` up to the head is signed and has been checked. */
    complete: Type.Boolean(),
    /** Everything behind this position and up to the other one has been checked. */
    after: Position,
    upTo: Position,
    events: integer,
    checkpoints: integer,
    /** Events behind the last signature; null where the answer goes on with `next`. */
    unsignedEvents: nullable(integer),
    firstBad: nullable(Fault),
    /** What is wrong beside the chain: the first 20, and how many there are. */
    findings: many(StateFinding, 20),
    findingsCount: integer,
    signedUpTo: Position,
    head: Position,
    /** Where to go on, when a request cannot hold more. */
    next: nullable(Position),
  },
  strict,
)

const Mail = Type.Object(
  {
    eventId: Id,
    template: text(100),
    state: text(20),
    queuedAt: time,
    sentAt: nullable(time),
    attempts: integer,
  },
  strict,
)
const Webhook = Type.Object(
  {
    deliveryId: Id,
    endpointId: Id,
    eventId: Id,
    type: text(100),
    status: text(40),
    attempts: integer,
    lastStatus: nullable(integer),
    createdAt: time,
    deliveredAt: nullable(time),
  },
  strict,
)
export const Trace = Type.Object(
  {
    correlationId: Id,
    events: many(Event, 1_000),
    mails: many(Mail, 1_000),
    webhooks: many(Webhook),
    /** Whether these are all of its events. */
    complete: Type.Boolean(),
  },
  strict,
)

/** The highest position that a store can have. */
const positionMax = parsePosition(String(2n ** 62n))

/** A position from its text; one that no log can reach is the highest one. */
export function positionFrom(position: string | undefined): LogPosition {
  return earliest(parsePosition(position ?? '0'), positionMax)
}

/** A moment. Throws a 400 problem for what only looks like one. */
export function momentFrom(moment: string, field: string): Date {
  if (isInstant(moment)) return new Date(moment)
  throw new HttpProblem('request/invalid', 'The request is invalid.', {
    errors: [{ pointer: `/${field}`, detail: 'must be a time as in RFC 3339 that exists' }],
  })
}
