// Projections as operators see them: how far they are, and rebuilding them.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { type Lag, lagAt, lagsAt } from '../../../audit/lag.ts'
import { line } from '../../../domain/kernel/text.ts'
import { strict } from '../../../domain/kernel/types.ts'
import type { Position as LogPosition } from '../../../kit/position.ts'
import type { Consumer, Projection } from '../../../projections/core/projection.ts'
import { projections } from '../../../projections/index.ts'
import { type ProjectionState, projectionStates } from '../../../projections/order/orderQueries.ts'
import {
  previousTables,
  type RebuildState,
  rebuildStates,
  request as requestRebuild,
} from '../../../projections/rebuild/rebuildStates.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { publish } from '../../http/route.ts'
import { many, nullable, Position, text } from '../../http/schemas.ts'
import {
  acceptsEvents,
  createProgressStreams,
  type ProgressStreams,
} from '../../realtime/progressStream.ts'
import { count, Rebuild, rebuildBody } from './rebuildShape.ts'

const tag = 'Admin'
const readers = ['admin', 'auditor'] as const
const admins = ['admin'] as const

/** For how long the first event has been waiting; how many wait, where the event store can tell. */
const LagBody = Type.Object(
  {
    seconds: Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    events: Type.Optional(count),
  },
  strict,
)

const state = {
  name: text(100),
  kind: Type.Enum(['projection', 'reaction']),
  /** Reactions have none. */
  version: nullable(count),
  position: Position,
  head: Position,
  lag: LagBody,
  runner: nullable(text(200)),
  parked: count,
}

const rebuildable = {
  /** Reactions are listed, too, and have nothing that could be made anew. */
  rebuildable: Type.Boolean(),
  rebuild: nullable(Rebuild),
}

const ProjectionSummary = Type.Object({ ...state, ...rebuildable }, strict)
const ProjectionDetail = Type.Object(
  {
    ...state,
    lagMs: count,
    state: Type.Enum(['running', 'behind', 'rebuilding', 'idle']),
    previous: nullable(Type.Object({ version: count, position: Position }, strict)),
    ...rebuildable,
  },
  strict,
)

/** Without it a rebuild stops where streams are broken, and the old tables go on serving. */
const RebuildBody = Type.Object({ acceptBrokenStreams: Type.Optional(Type.Boolean()) }, strict)

/** The path of what is about one projection. */
export const named = Type.Object({ name: line(100) }, strict)
/** Publishes the projections. */
export function projectionRoutes(server: FastifyInstance, context: ApiContext): void {
  const streams = createProgressStreams(server)
  states(server, context)
  rebuilding(server, context, streams)
}

function states(server: FastifyInstance, context: ApiContext): void {
  const shared = { tag, access: readers, from: [] }
  readRoute(server, context, {
    ...shared,
    url: '/admin/projections',
    summary: 'List the projections with their lag and last rebuild',
    operationId: 'listProjections',
    answer: Type.Object({ data: many(ProjectionSummary, 100) }, strict),
    async handle() {
      const [head, found, rebuilds] = await Promise.all([
        context.eventStore.head(),
        projectionStates(context.db),
        rebuildStates(context.db),
      ])
      const last = new Map(rebuilds.map(each => [each.name, each]))
      const positions = found.map(({ position }) => position)
      const now = context.app.clock.now()
      const lags = await lagsAt(context.eventStore, { positions, head, now })
      const data = found.map(each => ({
        ...summary(each, head, lags.get(each.position)),
        ...rebuildOf(each.name, last.get(each.name)),
      }))
      return { data }
    },
  })
  readRoute(server, context, {
    ...shared,
    url: '/admin/projections/:name',
    summary: 'Get a projection with its lag and last rebuild',
    operationId: 'getProjection',
    params: named,
    answer: ProjectionDetail,
    handle: ({ params: { name } }) => detail(context, name),
  })
}

function summary(state: ProjectionState, head: LogPosition, lag: Lag = { seconds: 0 }) {
  const { name, version, position, runner, parked } = state
  return {
    name,
    kind: version === null ? ('reaction' as const) : ('projection' as const),
    version,
    position: String(position),
    head: String(head),
    lag,
    runner,
    parked: Number(parked),
  }
}

async function detail(context: ApiContext, name: string) {
  const { db, eventStore, app } = context
  const [head, all, [rebuild], previous] = await Promise.all([
    eventStore.head(),
    projectionStates(db),
    rebuildStates(db, name),
    previousTables(db, name),
  ])
  const found = all.find(each => each.name === name)
  if (found === undefined) throw missing(name)
  const isRebuilding = rebuild?.state === 'running'
  const isBehind = found.position < head
  const running = found.runner === null ? 'idle' : isBehind ? 'behind' : 'running'
  const lag = await lagAt(eventStore, { position: found.position, head, now: app.clock.now() })
  return {
    ...summary(found, head, lag),
    lagMs: Math.round(lag.seconds * 1_000),
    state: isRebuilding ? 'rebuilding' : running,
    previous: previous ? { ...previous, position: String(previous.position) } : null,
    ...rebuildOf(name, rebuild),
  }
}

function rebuildOf(name: string, rebuild: RebuildState | undefined) {
  return {
    rebuildable: projections.some(each => each.name === name),
    rebuild: rebuild ? rebuildBody(rebuild) : null,
  }
}

function missing(name: string): HttpProblem {
  const there = projections.map(each => each.name).join(', ')
  return new HttpProblem(
    'projection/not-found',
    `The projection ${name} does not exist. Available: ${there}.`,
  )
}

/** What can be made anew; reactions cannot. */
function projectionNamed({ reactions }: ApiContext, name: string): Projection {
  const projection = projections.find(each => each.name === name)
  if (projection !== undefined) return projection
  if (!reactions.some(each => each.name === name)) throw missing(name)
  throw new HttpProblem(
    'projection/not-rebuildable',
    `${name} is a reaction and cannot be rebuilt. Its parked events can be retried.`,
  )
}

/** What follows the log under this name: a projection or a reaction. */
export function followerNamed({ reactions }: ApiContext, name: string): Consumer {
  const found = [...projections, ...reactions].find(each => each.name === name)
  if (found === undefined) throw missing(name)
  return found
}

async function lastRebuild(context: ApiContext, name: string) {
  const [rebuild] = await rebuildStates(context.db, projectionNamed(context, name).name)
  return rebuild && { state: rebuildBody(rebuild), isDone: hasEnded(rebuild) }
}

const hasEnded = ({ state: now }: RebuildState) => now === 'done' || now === 'failed'

function rebuilding(server: FastifyInstance, context: ApiContext, streams: ProgressStreams): void {
  publish(server, {
    method: 'POST',
    url: '/admin/projections/:name/rebuild',
    access: admins,
    // Nothing need be said.
    async preValidation(request) {
      request.body ??= {}
    },
    summary: 'Start a rebuild of a projection; the current tables keep serving',
    tag,
    operationId: 'rebuildProjection',
    description: 'The current tables serve until the new ones have caught up.',
    params: named,
    body: RebuildBody,
    status: 202,
    answer: Rebuild,
    async handle(request, reply) {
      const projection = projectionNamed(context, request.params.name)
      const acceptsBroken = request.body.acceptBrokenStreams === true
      await requestRebuild(context.db, projection, { acceptsBroken })
      const last = await lastRebuild(context, projection.name)
      reply.header('location', `/api/admin/projections/${projection.name}/rebuild`)
      return reply.status(202).send(last?.state)
    },
  })
  publish(server, {
    method: 'GET',
    url: '/admin/projections/:name/rebuild',
    access: readers,
    summary: 'Get the progress of the last rebuild; as text/event-stream, live',
    tag,
    operationId: 'getRebuild',
    params: named,
    answer: {
      description: 'The rebuild; as a stream, progress events and a final done event',
      content: {
        'application/json': { schema: Rebuild },
        'text/event-stream': { schema: Type.String({ maxLength: 100_000 }) },
      },
    },
    async handle(request, reply) {
      const look = () => lastRebuild(context, request.params.name)
      const last = await server.readLimit(request, look)
      if (last === undefined) {
        throw new HttpProblem('request/not-found', 'This projection has never been rebuilt.')
      }
      if (acceptsEvents(request)) return streams.follow(request, reply, look)
      return reply.type('application/json; charset=utf-8').send(last.state)
    },
  })
}
