// Time travel over HTTP: what something was like then, and what has changed between two moments.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { differences } from '../../../audit/differences.ts'
import { firstOf, showEvents } from '../../../audit/events.ts'
import { type Cutoff, counts, type Kind, kinds, type PastState } from '../../../audit/timeTravel.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { type RecordedEvent, readStream } from '../../../ports/eventStore.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { Position } from '../../http/schemas.ts'
import {
  access,
  momentFrom,
  StateThen as Shown,
  StateChange,
  tag,
  Until as When,
} from './auditSchemas.ts'

const params = Type.Object({ id: Id }, strict)
const minPosition = Type.Optional(Position)
/** Events between two moments that are shown. */
const eventsMax = 1_000

/** Publishes what things were like. Straight from the log: always the newest. */
export function auditStateRoutes(server: FastifyInstance, context: ApiContext): void {
  for (const [name, kind] of Object.entries(kinds)) {
    const what = `${name.charAt(0).toUpperCase()}${name.slice(1)}`
    const shared = { tag, access, from: [], params }
    readRoute(server, context, {
      ...shared,
      url: `/audit/${name}/:id`,
      summary: `${what} as they were, folded from the log up to a time or a revision`,
      operationId: `get${what}AsOf`,
      description: '`asOf` is a time or a revision; by default, now.',
      query: Type.Object({ asOf: Type.Optional(When), minPosition }, strict),
      answer: Shown,
      handle: ({ params: { id }, query: { asOf } }) =>
        existing(context, kind, { id, until: untilOf(asOf, 'asOf') }),
    })
    readRoute(server, context, {
      ...shared,
      url: `/audit/${name}/:id/diff`,
      summary: `${what}: what has changed between two times or revisions, and by which events`,
      operationId: `get${what}Diff`,
      description: '`from` and `to` are times or revisions.',
      query: Type.Object(
        { from: Type.Optional(When), to: Type.Optional(When), minPosition },
        strict,
      ),
      answer: StateChange,
      handle: ({ params: { id }, query: { from, to } }) =>
        changes(context, kind, { id, from: untilOf(from, 'from'), to: untilOf(to, 'to') }),
    })
  }
}

function untilOf(text: string | undefined, field: string): Cutoff | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return { revision: Number(text) }
  return { at: momentFrom(text, field) }
}

/** No revision is higher. */
const now = { revision: 999_999_999 }

async function existing(
  context: ApiContext,
  kind: Kind,
  { id, until = now }: { id: string; until: Cutoff | undefined },
): Promise<PastState> {
  const then = await kind.asOf(context, id, until)
  if (then !== undefined) return then
  throw new HttpProblem(kind.notFound, 'No resource with this id existed at that time.')
}

async function changes(
  context: ApiContext,
  kind: Kind,
  { id, from, to = now }: { id: string; from: Cutoff | undefined; to: Cutoff | undefined },
) {
  const after = await existing(context, kind, { id, until: to })
  // Before its first event there is nothing to compare with.
  const before = from === undefined ? undefined : await kind.asOf(context, id, from)
  const events = readStream(context.eventStore, after.stream)
  const between = await firstOf(countedBetween(events, from, to), eventsMax)
  return {
    stream: after.stream,
    from: before === undefined ? null : placeOf(before),
    to: placeOf(after),
    differences: differences(before?.state ?? {}, after.state),
    events: await showEvents(context.codec, between),
  }
}

/** What counts at the later moment and did not at the earlier one. */
async function* countedBetween(
  events: AsyncIterable<RecordedEvent>,
  from: Cutoff | undefined,
  to: Cutoff,
): AsyncGenerator<RecordedEvent> {
  for await (const event of events) {
    const place = { revision: event.revision, at: String(event.metadata.at) }
    if (counts(to, place) && (from === undefined || !counts(from, place))) yield event
  }
}

function placeOf({ state: _, ...place }: PastState) {
  return place
}
