// The HTTP server: plugins and routes in one visible list.
import cors from '@fastify/cors'
import swaggerUi from '@fastify/swagger-ui'
import websocket from '@fastify/websocket'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { newId } from '../commands/ids.ts'
import type { Config } from '../config.ts'
import { authenticate } from './actor.ts'
import { usePrivateAnswers } from './caching.ts'
import { endSilentWhenClosing, refuseWhenClosing } from './closing.ts'
import { useConnections } from './connections.ts'
import type { ApiContext } from './context.ts'
import { drainBeforeClosing } from './draining.ts'
import { useFastLane } from './fastLane.ts'
import { useGate } from './gate.ts'
import { createLimits } from './limits.ts'
import { createClientErrors, createFrameworkErrors } from './malformed.ts'
import { isUnspoken, refuseMethod, watchMethods } from './methods.ts'
import { observeRequests, traceRequests } from './observing.ts'
import { openApi } from './openapi.ts'
import { useOwnWrites } from './ownWrites.ts'
import { usePatience } from './patience.ts'
import { refusePositionsBeyondHead } from './positionFields.ts'
import { handleError, sendProblem } from './problems.ts'
import { boardConfig, boardPath, queueBoard } from './queueBoard.ts'
import { realtimeRoutes, sendAway } from './realtime.ts'
import { accountRoutes } from './routes/accounts.ts'
import { auditChainRoutes, auditKeyRoutes } from './routes/auditChain.ts'
import { auditLogRoutes } from './routes/auditLog.ts'
import { auditStateRoutes } from './routes/auditStates.ts'
import { cartRoutes } from './routes/cart.ts'
import { categoryRoutes } from './routes/categories.ts'
import { consoleRoutes } from './routes/console.ts'
import { disputeRoutes } from './routes/disputes.ts'
import { emailAddressRoutes } from './routes/emailAddresses.ts'
import { erasureRoutes } from './routes/erasure.ts'
import { exportRoutes } from './routes/export.ts'
import { homePage } from './routes/homePage.ts'
import { imageRoutes } from './routes/images.ts'
import { linkPages } from './routes/linkPages.ts'
import { mailRoutes } from './routes/mails.ts'
import { healthRoutes } from './routes/operations.ts'
import { orderRoutes } from './routes/orders.ts'
import { parkedEventRoutes } from './routes/parkedEvents.ts'
import { passwordRoutes } from './routes/passwords.ts'
import { paymentCallbackRoutes } from './routes/paymentCallbacks.ts'
import { paymentMethodRoutes } from './routes/paymentMethods.ts'
import { problemPages } from './routes/problemPages.ts'
import { productImportRoutes } from './routes/productImports.ts'
import { productRoutes } from './routes/products.ts'
import { keyRoutes, profileRoutes } from './routes/profile.ts'
import { projectionRoutes } from './routes/projections.ts'
import { queueSessionRoutes } from './routes/queueSession.ts'
import { referencePage } from './routes/reference.ts'
import { refundRoutes } from './routes/refunds.ts'
import { reportRoutes } from './routes/reports.ts'
import { resetPage } from './routes/resetPage.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { userRoutes } from './routes/users.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { useSecureHeaders } from './secureHeaders.ts'
import { useSerializers } from './serializing.ts'
import { withStanding } from './standing.ts'
import { answerStrays, useStrictHttp } from './strictHttp.ts'
import { warnOfUntrustedProxies } from './untrustedProxy.ts'
import { uploadTimeoutMs } from './uploads.ts'
import { useValidators } from './validation.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether @fastify/cors looks at a route at all. */
    cors?: false
  }
}

const bodyBytesMax = 64 * 1024
const patienceMs = 10_000
/** How long a client may take to send its headers; the rest has the time that its route gives. */
const headersMs = 15_000
const requestMs = uploadTimeoutMs
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
  emailAddressRoutes,
  sessionRoutes,
  profileRoutes,
  erasureRoutes,
  exportRoutes,
  userRoutes,
  productRoutes,
  productImportRoutes,
  categoryRoutes,
  imageRoutes,
  cartRoutes,
  orderRoutes,
  refundRoutes,
  disputeRoutes,
  paymentCallbackRoutes,
  paymentMethodRoutes,
  projectionRoutes,
  parkedEventRoutes,
  reportRoutes,
  queueSessionRoutes,
  webhookRoutes,
  mailRoutes,
  auditLogRoutes,
  auditStateRoutes,
  auditChainRoutes,
]

/** What is published beside it. */
const rootRoutes = [
  homePage,
  healthRoutes,
  problemPages,
  resetPage,
  linkPages,
  referencePage,
  consoleRoutes,
  keyRoutes,
  auditKeyRoutes,
  realtimeRoutes,
]

/** Builds the server; it does not listen yet. */
export async function buildServer(
  given: ApiContext & { log: FastifyBaseLogger },
): Promise<FastifyInstance> {
  const context = withStanding(given)
  const app = bareServer(context)
  useValidators(app)
  useSerializers(app)
  app.setErrorHandler(handleError)
  app.setNotFoundHandler((request, reply) =>
    isUnspoken(request)
      ? refuseMethod(request, reply)
      : sendProblem(reply, 'request/not-found', 'There is nothing at this address.'),
  )
  app.decorateReply('problem', undefined)
  app.decorateRequest('sessionId', undefined)
  app.decorateRequest('tokenEndsAt', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    request.actor ??= { role: 'anonymous' }
    done()
  })
  usePrivateAnswers(app)
  refuseWhenClosing(app)
  endSilentWhenClosing(app)
  usePatience(app, patienceMs)
  drainBeforeClosing(app)
  warnOfUntrustedProxies(app)
  useGate(app, context.config.commandsMax)
  watchRoutes(app, context.config)
  const methods = watchMethods(app)
  traceRequests(app, context)
  await plugins(app, context)
  const { accounts, standing, config } = context
  const identity = { ...accounts, standing, ticketLifeSeconds: config.accessTokenTtlSeconds }
  const limits = createLimits(app, context)
  app.addHook('onRequest', async (request, reply) => {
    try {
      if (request.actor.role === 'anonymous') await authenticate(identity, request)
    } finally {
      // Who is refused has asked, too.
      await limits.take?.(request, reply)
    }
  })
  useOwnWrites(app, context)
  refusePositionsBeyondHead(app, context)
  useConnections(app, context)
  observeRequests(app, context)
  if (!context.tracing.isOn) useFastLane(app, context, limits)
  for (const publish of rootRoutes) publish(app, context)
  await queueBoard(app, context)
  await app.register(
    async api => {
      for (const publish of apiRoutes) publish(api, context)
    },
    { prefix: '/api' },
  )
  methods.refuseOthers()
  await app.ready()
  return app
}

function bareServer({ config, log }: { config: Config; log: FastifyBaseLogger }): FastifyInstance {
  const secure = { https: config.publicUrl.startsWith('https:') }
  return fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: request => requestId(request.headers['x-request-id']),
    bodyLimit: bodyBytesMax,
    // As long as a request line can be: what does not fit a schema is answered by the schema.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: createFrameworkErrors(secure),
    clientErrorHandler: createClientErrors(secure),
    requestTimeout: requestMs,
    http: {
      requireHostHeader: false,
      headersTimeout: headersMs,
      connectionsCheckingInterval: 1_000,
    },
    forceCloseConnections: 'idle',
    // The framework's own answer would not be a problem like all others.
    return503OnClosing: false,
    trustProxy: [...config.trustProxy],
  })
}

/** What the client calls its request, if it is harmless in a log; else an id of ours. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : newId()
}

/** A route that does not say who may use it does not start. */
function watchRoutes(app: FastifyInstance, { corsOrigins }: Config): void {
  app.addHook('onRoute', route => {
    // Where no other origin may read anything, nobody need work out which.
    if (corsOrigins.length === 0 && route.method !== 'OPTIONS') {
      route.config = { ...route.config, cors: false }
    }
    if (route.url.startsWith(boardPath)) route.config = { ...boardConfig, ...route.config }
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
  useSecureHeaders(app, { https: config.publicUrl.startsWith('https:') })
  await app.register(cors, {
    origin: [...config.corsOrigins],
    // OPTIONS without what a browser asks for is a question about methods, and no mistake.
    strictPreflight: false,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: exposed,
  })
  await app.register(websocket, {
    options: {
      maxPayload: frameBytesMax,
      handleProtocols: protocols => ['bearer', 'ticket'].find(each => protocols.has(each)) ?? false,
    },
    preClose(done) {
      sendAway(this.websocketServer.clients)
      this.websocketServer.close()
      done()
    },
  })
  useStrictHttp(app)
  answerStrays(app, { https: config.publicUrl.startsWith('https:') })
  await openApi(app, config)
  await app.register(swaggerUi, { routePrefix: '/docs' })
}
