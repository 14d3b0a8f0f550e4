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
import { closeSilentConnections, refuseWhenClosing } from './http/closing.ts'
import { useConcurrencyLimit } from './http/concurrencyLimit.ts'
import type { ApiContext } from './http/context.ts'
import { withCurrentRoles } from './http/currentRoles.ts'
import { drainBeforeClosing } from './http/draining.ts'
import { createLimits } from './http/limits.ts'
import { createClientErrors, createFrameworkErrors } from './http/malformed.ts'
import { isUnknownMethod, refuseMethod, watchMethods } from './http/methods.ts'
import { handleError, sendProblem } from './http/problems.ts'
import { refusePositionsBeyondHead, useOwnWrites } from './http/readYourWrites.ts'
import { observeRequests, traceRequests } from './http/requestTelemetry.ts'
import { useRequestTimeout } from './http/requestTimeout.ts'
import { useSecureHeaders } from './http/secureHeaders.ts'
import { useSerializers } from './http/serializing.ts'
import { refuseStrayMessages, useStrictHttp } from './http/strictHttp.ts'
import { warnOfUntrustedProxies } from './http/untrustedProxy.ts'
import { uploadTimeoutMs } from './http/uploads.ts'
import { useValidators } from './http/validation.ts'
import { openApi } from './openapi.ts'
import { useConnections } from './realtime/connections.ts'
import { closeClients } from './realtime/realtime.ts'
import { routeGroups } from './routes/index.ts'
import { boardConfig, boardPath } from './routes/operations/queueBoard.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether @fastify/cors looks at a route at all. */
    cors?: false
  }
}

const bodyBytesMax = 64 * 1024
const timeoutMs = 10_000
/** How long a client may take to send its headers. */
const headersMs = 15_000
const requestMs = uploadTimeoutMs
const frameBytesMax = 16 * 1024
/** Headers that scripts of other origins may read. */
const exposed = [
  ...['etag', 'link', 'location', 'x-position', 'x-request-id', 'idempotent-replayed'],
  ...['ratelimit', 'ratelimit-policy', 'retry-after', 'x-cart-token'],
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
    isUnknownMethod(request)
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
  closeSilentConnections(server)
  useRequestTimeout(server, timeoutMs)
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
      // Refused requests are counted, too.
      await limit?.(request, reply)
    }
  })
  useOwnWrites(server, context)
  refusePositionsBeyondHead(server, context)
  useConnections(server, context)
  observeRequests(server, context)
  useStoredResponses(server)
  await publishRoutes(server, context)
  methods.refuseOthers()
  await server.ready()
  return server
}

async function publishRoutes(server: FastifyInstance, context: ApiContext): Promise<void> {
  for (const publish of routeGroups.flatMap(({ root = [] }) => root)) {
    await publish(server, context)
  }
  await server.register(
    async scope => {
      for (const publish of routeGroups.flatMap(({ api = [] }) => api)) {
        await publish(scope, context)
      }
    },
    { prefix: '/api' },
  )
}

function bareServer({ config, log }: { config: Config; log: FastifyBaseLogger }): FastifyInstance {
  const secure = { https: config.publicUrl.startsWith('https:') }
  return fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: request => requestId(request.headers['x-request-id']),
    bodyLimit: bodyBytesMax,
    // As long as a request line can be: longer parameters are refused by the schema.
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
    // Fastify's own response would not be a problem document.
    return503OnClosing: false,
    trustProxy: [...config.trustProxy],
  })
}

/** The client's request id, if it is safe to log, else a new one. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : newId()
}

/** Refuses to start with a route that does not declare its access. */
function watchRoutes(server: FastifyInstance, { corsOrigins }: Config): void {
  server.addHook('onRoute', route => {
    // Without other origins, CORS headers are not needed.
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
    // OPTIONS without preflight headers is a valid question for methods.
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
      closeClients(this.websocketServer.clients)
      this.websocketServer.close()
      done()
    },
  })
  useStrictHttp(server)
  refuseStrayMessages(server, { https: config.publicUrl.startsWith('https:') })
  await openApi(server, config, routeGroups)
  await server.register(swaggerUi, { routePrefix: '/docs' })
}
