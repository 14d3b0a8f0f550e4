// The proof that nobody has changed the log, over HTTP: checkpoints, their keys, verification.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import {
  type Conclusion,
  conclude,
  nothingChecked,
  type Tally,
  verifySegments,
} from '../../../audit/logVerification.ts'
import { type StreamWatch, watchStreams } from '../../../audit/streamCheck.ts'
import { strict } from '../../../domain/kernel/types.ts'
import { justAfter, type Position as LogPosition, startOfLog } from '../../../kit/position.ts'
import type { StoredCheckpoint } from '../../../ports/audit.ts'
import type { ApiContext } from '../../http/context.ts'
import { streamedRoute } from '../../http/ndjson.ts'
import { Position } from '../../http/schemas.ts'
import { access, Checkpoints, positionFrom, tag, Verification } from './auditSchemas.ts'

const pageSize = 100
/** What one request verifies: a second of work. */
const eventsMax = 20_000
/** Findings that one answer names; how many there are is said as well. */
const findingsMax = 20

/** Publishes the hash chain. */
export function auditChainRoutes(server: FastifyInstance, context: ApiContext): void {
  // Where somebody has cut the log off, what was signed shows it.
  const reach = async () => (await context.audit.book.last())?.position ?? startOfLog
  const shared = { tag, access, from: [], reach }
  streamedRoute(server, context, {
    ...shared,
    bulk: true,
    url: '/audit/verify',
    summary: 'Verify the hash chain and find the first position that does not match',
    operationId: 'verifyLog',
    description: 'Without `from` and `to` the whole log.',
    query: Type.Object({ from: Type.Optional(Position), to: Type.Optional(Position) }, strict),
    answer: Verification,
    handle: ({ query: { from, to } }) =>
      verify(context, positionFrom(from), to === undefined ? undefined : positionFrom(to)),
    lines: ({ query: { from } }) => verifyAll(context, positionFrom(from)),
  })
  streamedRoute(server, context, {
    ...shared,
    url: '/audit/checkpoints',
    summary: 'List the signed checkpoints of the hash chain',
    operationId: 'listCheckpoints',
    query: Type.Object({ after: Type.Optional(Position) }, strict),
    answer: Checkpoints,
    async handle({ query: { after } }) {
      const kept = await context.audit.book.after(positionFrom(after), pageSize + 1)
      const data = await Promise.all(kept.slice(0, pageSize).map(each => shown(context, each)))
      const nextCursor = kept.length > pageSize ? data.at(-1)?.position : undefined
      return nextCursor === undefined ? { data } : { data, nextCursor }
    },
    lines: ({ query: { after } }) => checkpointLines(context, positionFrom(after)),
  })
}

/** The keys with which checkpoints can be verified; under the root, like those of tokens. */
export function auditKeyRoutes(server: FastifyInstance, { audit }: ApiContext): void {
  const options = { config: { access: 'public' as const }, schema: { hide: true } }
  server.get('/.well-known/audit-jwks.json', options, () => audit.signer.jwks())
}

async function shown({ audit }: ApiContext, { position, after, signed }: StoredCheckpoint) {
  const checkpoint = await audit.signer.open(signed)
  const isValid = checkpoint?.position === position && checkpoint.after === after
  return {
    position: String(position),
    after: String(after),
    valid: isValid,
    count: isValid ? checkpoint.count : null,
    hash: isValid ? checkpoint.hash : null,
    at: isValid ? checkpoint.at.toISOString() : null,
    signed,
  }
}

async function* checkpointLines(context: ApiContext, after: LogPosition): AsyncGenerator<object> {
  let behind = after
  for (;;) {
    const kept = await context.audit.book.after(behind, pageSize)
    for (const each of kept) yield await shown(context, each)
    const last = kept.at(-1)
    if (last === undefined || kept.length < pageSize) return
    behind = last.position
  }
}

async function verify(context: ApiContext, from: LogPosition, to: LogPosition | undefined) {
  const signedUpTo = (await context.audit.book.last())?.position ?? startOfLog
  const end = to === undefined || to > signedUpTo ? signedUpTo : to
  const streams = watchStreams(context.eventStore)
  const parts = { ...context, ...context.audit, streams }
  let last = nothingChecked
  for await (const tally of verifySegments(parts, from)) {
    last = tally
    if (tally.upTo >= end || tally.events >= eventsMax) break
  }
  const isDone = last.fault !== undefined || last.upTo >= end
  const next = isDone || last === nothingChecked ? null : String(justAfter(last.upTo))
  const isWhole = next === null && (to === undefined || to >= signedUpTo)
  await streams.compare(true)
  const conclusion = isWhole ? await conclude(parts) : undefined
  return {
    ...(await report(context, last, { conclusion, streams })),
    signedUpTo: String(signedUpTo),
    next,
  }
}

/** With a conclusion the answer is about all that there is; without one it goes on with `next`. */
async function report(
  { eventStore }: ApiContext,
  tally: Tally,
  { conclusion, streams }: { conclusion: Conclusion | undefined; streams: StreamWatch },
) {
  const seen = streams.found()
  const fault = tally.fault ?? conclusion?.fault
  const head = await eventStore.head()
  const { unsignedEvents = null } = conclusion ?? {}
  const findings = [...seen.findings, ...(conclusion?.findings ?? [])].slice(0, findingsMax)
  const findingsCount = seen.count + (conclusion?.findingsCount ?? 0)
  return {
    ok: fault === undefined && findingsCount === 0,
    complete: fault === undefined && unsignedEvents === 0 && tally.upTo >= head,
    after: String(tally.after),
    upTo: String(tally.upTo),
    events: tally.events,
    checkpoints: tally.checkpoints,
    unsignedEvents,
    firstBad: fault === undefined ? null : { ...fault, position: String(fault.position) },
    findings,
    findingsCount,
    head: String(head),
  }
}

/** A line for each checkpoint, and a last one that says how it ended. */
async function* verifyAll(context: ApiContext, from: LogPosition): AsyncGenerator<object> {
  const streams = watchStreams(context.eventStore)
  const parts = { ...context, ...context.audit, streams }
  let last = nothingChecked
  for await (const tally of verifySegments(parts, from)) {
    last = tally
    const { upTo, events, checkpoints } = tally
    yield { upTo: String(upTo), events, checkpoints, ok: tally.fault === undefined }
  }
  await streams.compare(true)
  const conclusion = await conclude(parts, Number.POSITIVE_INFINITY)
  yield { done: true, ...(await report(context, last, { conclusion, streams })) }
}
