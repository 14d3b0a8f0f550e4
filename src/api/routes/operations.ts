// What operators ask: is it alive, is it ready.
import type { FastifyInstance } from 'fastify'
import { projectionStates } from '../../projections/orderQueries.ts'
import type { ApiContext } from '../context.ts'

const open = { access: 'public' as const }

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
