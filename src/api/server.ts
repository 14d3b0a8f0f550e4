// The HTTP server: plugins and routes in one visible list.
import cors from '@fastify/cors'
import swaggerUi from '@fastify/swagger-ui'
import websocket from '@fastify/websocket'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { newId } from '../commands/core/ids.ts'
import type { Config } from '../config/config.ts'
import { authenticate } from './http/actor.ts'
import { useStoredResponses } from './http/cachedResponses.ts'
import { usePrivateAnswers } from './http/caching.ts'
import { endSilentWhenClosing, refuseWhenClosing } from './http/closing.ts'
import { useConcurrencyLimit } from './http/concurrencyLimit.ts'
import type { ApiContext } from './http/context.ts'
import { withCurrentRoles } from './http/currentRoles.ts'
import { drainBeforeClosing } from './http/draining.ts'
import { createLimits } from './http/limits.ts'
import { createClientErrors, createFrameworkErrors } from './http/malformed.ts'
import { isUnspoken, refuseMethod, watchMethods } from './http/methods.ts'
import { useOwnWrites } from './http/ownWrites.ts'
import { refusePositionsBeyondHead } from './http/positionFields.ts'
import { handleError, sendProblem } from './http/problems.ts'
import { observeRequests, traceRequests } from './http/requestTelemetry.ts'
import { useRequestTimeout } from './http/requestTimeout.ts'
import { useSecureHeaders } from './http/secureHeaders.ts'
import { useSerializers } from './http/serializing.ts'
import { answerStrays, useStrictHttp } from './http/strictHttp.ts'
import { warnOfUntrustedProxies } from './http/untrustedProxy.ts'
import { uploadTimeoutMs } from './http/uploads.ts'
import { useValidators } from './http/validation.ts'
import { openApi } from './openapi.ts'
import { useConnections } from './realtime/connections.ts'
import { realtimeRoutes, sendAway } from './realtime/realtime.ts'
import { accountRoutes } from './routes/account/accounts.ts'
import { emailAddressRoutes } from './routes/account/emailAddresses.ts'
import { erasureRoutes } from './routes/account/erasure.ts'
import { exportRoutes } from './routes/account/export.ts'
import { passwordRoutes } from './routes/account/passwords.ts'
import { keyRoutes, profileRoutes } from './routes/account/profile.ts'
import { resetPage } from './routes/account/resetPage.ts'
import { sessionRoutes } from './routes/account/sessions.ts'
import { userRoutes } from './routes/account/users.ts'
import { auditChainRoutes, auditKeyRoutes } from './routes/audit/auditChain.ts'
import { auditLogRoutes } from './routes/audit/auditEvents.ts'
import { auditStateRoutes } from './routes/audit/auditStates.ts'
import { cartRoutes } from './routes/cart/cart.ts'
import { categoryRoutes } from './routes/catalogue/categories.ts'
import { imageRoutes } from './routes/catalogue/images.ts'
import { productImportRoutes } from './routes/catalogue/productImports.ts'
import { productRoutes } from './routes/catalogue/products.ts'
import { mailRoutes } from './routes/operations/mails.ts'
import { healthRoutes } from './routes/operations/operations.ts'
import { parkedEventRoutes } from './routes/operations/parkedEvents.ts'
import { projectionRoutes } from './routes/operations/projections.ts'
import { boardConfig, boardPath, queueBoard } from './routes/operations/queueBoard.ts'
import { queueSessionRoutes } from './routes/operations/queueSession.ts'
import { webhookRoutes } from './routes/operations/webhooks.ts'
import { disputeRoutes } from './routes/order/disputes.ts'
import { linkPages } from './routes/order/linkPages.ts'
import { orderRoutes } from './routes/order/orders.ts'
import { paymentCallbackRoutes } from './routes/order/paymentCallbacks.ts'
import { paymentMethodRoutes } from './routes/order/paymentMethods.ts'
import { refundRoutes } from './routes/order/refunds.ts'
import { consoleRoutes } from './routes/pages/console.ts'
import { homePage } from './routes/pages/homePage.ts'
import { problemPages } from './routes/pages/problemPages.ts'
import { referencePage } from './routes/pages/reference.ts'
import { reportRoutes } from './routes/sales/reports.ts'

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
  const context = withCurrentRoles(given)
  const server = bareServer(context)
  useValidators(server)
  useSerializers(server)
  server.setErrorHandler(handleError)
  server.setNotFoundHandler((request, reply) =>
    isUnspoken(request)
      ? refuseMethod(request, reply)
      : sendProblem(reply, 'request/not-found', 'No resource exists at this URL.'),
  )
  server.decorateReply('problem', undefined)
  server.decorateRequest('sessionId', undefined)
  server.decorateRequest('tokenEndsAt', undefined)
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    request.actor ??= { role: 'anonymous' }
    done()
  })
  usePrivateAnswers(server)
  refuseWhenClosing(server)
  endSilentWhenClosing(server)
  useRequestTimeout(server, patienceMs)
  drainBeforeClosing(server)
  warnOfUntrustedProxies(server)
  useConcurrencyLimit(server, context.config.commandsMax)
  watchRoutes(server, context.config)
  const methods = watchMethods(server)
  traceRequests(server, context)
  await plugins(server, context)
  const { accounts, currentRoles, config } = context
  const identity = { ...accounts, currentRoles, ticketLifeSeconds: config.accessTokenTtlSeconds }
  const limit = createLimits(server, context)
  server.addHook('onRequest', async (request, reply) => {
    try {
      if (request.actor.role === 'anonymous') await authenticate(identity, request)
    } finally {
      // Who is refused has asked, too.
      await limit?.(request, reply)
    }
  })
  useOwnWrites(server, context)
  refusePositionsBeyondHead(server, context)
  useConnections(server, context)
  observeRequests(server, context)
  useStoredResponses(server)
  for (const publish of rootRoutes) publish(server, context)
  await queueBoard(server, context)
  await server.register(
    async api => {
      for (const publish of apiRoutes) publish(api, context)
    },
    { prefix: '/api' },
  )
  methods.refuseOthers()
  await server.ready()
  return server
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
function watchRoutes(server: FastifyInstance, { corsOrigins }: Config): void {
  server.addHook('onRoute', route => {
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

async function plugins(server: FastifyInstance, { config }: ApiContext): Promise<void> {
  useSecureHeaders(server, { https: config.publicUrl.startsWith('https:') })
  await server.register(cors, {
    origin: [...config.corsOrigins],
    // OPTIONS without what a browser asks for is a question about methods, and no mistake.
    strictPreflight: false,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: exposed,
  })
  await server.register(websocket, {
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
  useStrictHttp(server)
  answerStrays(server, { https: config.publicUrl.startsWith('https:') })
  await openApi(server, config)
  await server.register(swaggerUi, { routePrefix: '/docs' })
}
