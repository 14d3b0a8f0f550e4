// The HTTP server: plugins and routes in one visible list.
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import websocket from '@fastify/websocket'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { newId } from '../commands/ids.ts'
import { authenticate } from './actor.ts'
import type { ApiContext } from './context.ts'
import { createLimits } from './limits.ts'
import { handleError, sendProblem } from './problems.ts'
import { realtimeRoutes } from './realtime.ts'
import { accountRoutes } from './routes/accounts.ts'
import { cartRoutes } from './routes/cart.ts'
import { categoryRoutes } from './routes/categories.ts'
import { erasureRoutes } from './routes/erasure.ts'
import { imageRoutes } from './routes/images.ts'
import { healthRoutes, operationRoutes } from './routes/operations.ts'
import { orderRoutes } from './routes/orders.ts'
import { passwordRoutes } from './routes/passwords.ts'
import { paymentCallbackRoutes } from './routes/paymentCallbacks.ts'
import { problemPages } from './routes/problemPages.ts'
import { productImportRoutes } from './routes/productImports.ts'
import { productRoutes } from './routes/products.ts'
import { keyRoutes, profileRoutes } from './routes/profile.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { userRoutes } from './routes/users.ts'
import { createStanding } from './standing.ts'
import { useValidators } from './validation.ts'

const bodyBytesMax = 64 * 1024
const frameBytesMax = 16 * 1024
/** What scripts of other origins may read of our headers. */
const exposed = [
  ...['etag', 'link', 'location', 'x-position', 'x-request-id', 'idempotent-replayed'],
  ...['ratelimit', 'ratelimit-policy', 'retry-after', 'x-cart-token'],
]

/** What is published under /api. */
const apiRoutes = [
  accountRoutes,
  passwordRoutes,
  sessionRoutes,
  profileRoutes,
  erasureRoutes,
  userRoutes,
  productRoutes,
  productImportRoutes,
  categoryRoutes,
  imageRoutes,
  cartRoutes,
  orderRoutes,
  paymentCallbackRoutes,
  operationRoutes,
]

/** Builds the server; it does not listen yet. */
export async function buildServer(
  context: ApiContext & { log: FastifyBaseLogger },
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: request => requestId(request.headers['x-request-id']),
    bodyLimit: bodyBytesMax,
    // As long as a request line can be: what does not fit a schema is answered by the schema.
    routerOptions: { maxParamLength: 16_384 },
    requestTimeout: 30_000,
    handlerTimeout: 10_000,
    forceCloseConnections: 'idle',
    trustProxy: [...context.config.trustProxy],
  })
  useValidators(app)
  app.setErrorHandler(handleError)
  app.setNotFoundHandler((_, reply) =>
    sendProblem(reply, 'request/not-found', 'There is nothing at this address.'),
  )
  app.decorateRequest('sessionId', undefined)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    request.actor ??= { role: 'anonymous' }
  })
  requireAccess(app)
  await plugins(app, context)
  const identity = { ...context.accounts, standing: createStanding(context.shop) }
  const limit = createLimits(app, context)
  app.addHook('onRequest', async (request, reply) => {
    try {
      if (request.actor.role === 'anonymous') await authenticate(identity, request)
    } finally {
      // Who is refused has asked, too.
      await limit(request, reply)
    }
  })
  logRequests(app)
  healthRoutes(app, context)
  problemPages(app)
  keyRoutes(app, context)
  realtimeRoutes(app, context)
  await app.register(
    async api => {
      for (const publish of apiRoutes) publish(api, context)
    },
    { prefix: '/api' },
  )
  await app.ready()
  return app
}

/** What the client calls its request, if it is harmless in a log; else an id of ours. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : newId()
}

/** A route that does not say who may use it does not start. */
function requireAccess(app: FastifyInstance): void {
  app.addHook('onRoute', route => {
    const isOurs = route.config?.access !== undefined
    const isDocumentation = /^\/(docs|openapi)/.test(route.url)
    const isPreflight = route.method === 'OPTIONS'
    if (!isOurs && !isDocumentation && !isPreflight) {
      throw new Error(`${String(route.method)} ${route.url} does not say who may use it`)
    }
    if (isOurs && route.schema !== undefined) {
      const access = route.config?.access
      route.schema.security ??= access === 'public' ? [] : [{ bearer: [] }]
      Object.assign(route.schema, { 'x-access': access })
    }
  })
}

async function plugins(app: FastifyInstance, { config }: ApiContext): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: { 'upgrade-insecure-requests': null },
    },
    hsts: config.publicUrl.startsWith('https:'),
  })
  await app.register(cors, {
    origin: [...config.corsOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: exposed,
  })
  await app.register(websocket, {
    options: {
      maxPayload: frameBytesMax,
      handleProtocols: protocols => ['bearer', 'ticket'].find(each => protocols.has(each)) ?? false,
    },
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: `${config.shopName} API`,
        description:
          'Commands append events, reads come from projections. Money is in minor units.',
        version: '1',
      },
      servers: [{ url: config.publicUrl }],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
  })
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, () =>
    app.swagger(),
  )
  app.get('/openapi.yaml', { config: { access: 'public' }, schema: { hide: true } }, (_, reply) =>
    reply.type('application/yaml').send(app.swagger({ yaml: true })),
  )
  await app.register(swaggerUi, { routePrefix: '/docs' })
}

/** One line a request, with the route's pattern instead of its address, and nothing personal. */
function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        actorId: request.actor.role === 'anonymous' ? undefined : request.actor.id,
      },
      'request',
    )
  })
}
