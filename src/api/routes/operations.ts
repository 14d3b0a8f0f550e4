// What operators ask: is it alive, is it ready, how far are the projections.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { projectionStates } from '../../projections/orderQueries.ts'
import type { ApiContext } from '../context.ts'
import { Position, problemResponses } from '../schemas.ts'

const open = { access: 'public' as const }
const text = Type.String({ maxLength: 500 })

/** More events behind than this, reads are too old to serve. */
const lagMax = 10_000n

/** Health under the root. */
export function healthRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get('/healthz', { config: open, schema: { hide: true } }, async () => ({ status: 'ok' }))
  app.get('/readyz', { config: open, schema: { hide: true } }, async (_, reply) => {
    const checks = await check(context)
    const isReady = Object.values(checks).every(each => each === 'ok')
    return reply.status(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'not ready', checks })
  })
}

async function check({ db, eventStore, redis }: ApiContext) {
  const attempt = (work: Promise<unknown>) => work.then(() => 'ok').catch(() => 'down')
  const [head, states, cache] = await Promise.all([
    eventStore.head().catch(() => undefined),
    projectionStates(db).catch(() => undefined),
    attempt(redis.ping()),
  ])
  const slow = states?.filter(state => (head ?? 0n) - state.position > lagMax) ?? []
  return {
    eventStore: head === undefined ? 'down' : 'ok',
    database: states === undefined ? 'down' : 'ok',
    redis: cache,
    projections: slow.length === 0 ? 'ok' : `behind: ${slow.map(state => state.name).join(', ')}`,
  }
}

const ProjectionState = Type.Object(
  {
    name: text,
    version: Type.Integer(),
    position: Position,
    head: Position,
    lag: Position,
    runner: Type.Union([text, Type.Null()]),
    parked: Type.Integer(),
  },
  { additionalProperties: false },
)

/** What admins see of the projections. */
export function operationRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/admin/projections',
    {
      config: { access: ['admin', 'auditor'] },
      schema: {
        summary: 'How far the projections are',
        tags: ['Admin'],
        operationId: 'listProjections',
        response: {
          200: Type.Object({ data: Type.Array(ProjectionState) }, { additionalProperties: false }),
          ...problemResponses,
        },
      },
    },
    async () => {
      const [head, states] = await Promise.all([
        context.eventStore.head(),
        projectionStates(context.db),
      ])
      return {
        data: states.map(({ name, version, position, runner, parked }) => ({
          name,
          version,
          position: String(position),
          head: String(head),
          lag: String(head > position ? head - position : 0n),
          runner,
          parked: Number(parked),
        })),
      }
    },
  )
}
