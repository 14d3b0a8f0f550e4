// Bulk imports of products over HTTP: upload, progress, cancel, undo.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { derivedId } from '../../../commands/core/ids.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import {
  hasEnded,
  type ImportStatus,
  importProgress,
  importReport,
  importStatuses,
  listImports,
} from '../../../projections/catalogue/productImportQueries.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { commandHeaders, envelopeOf, requireKey } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { count, nullable, text, time } from '../../http/schemas.ts'
import { readUpload, uploadBytesMax, uploadTimeoutMs, useUploads } from '../../http/uploads.ts'
import { acceptsEvents, createProgressStreams } from '../../realtime/progressStream.ts'

const tag = 'Catalogue'
const access = ['admin'] as const
const params = Type.Object({ importId: Id }, strict)
const columns =
  'sku, name, description, price (such as 12.50), currency (that of the shop), ' +
  'category (its name; made when missing), stock (as counted), featured, active'
/** A large file over a slow line takes its time. */
const progress = {
  id: Id,
  status: Type.Enum([...importStatuses]),
  format: Type.Enum(['csv', 'ndjson']),
  dryRun: Type.Boolean(),
  bytes: count,
  problem: nullable(text(1_000)),
  rows: nullable(count),
  created: count,
  changed: count,
  unchanged: count,
  refused: count,
  errorCount: count,
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  correlationId: Id,
  requestedBy: text(100),
  requestedAt: time,
  startedAt: nullable(time),
  finishedAt: nullable(time),
  undoneAt: nullable(time),
}

export const Progress = Type.Object(progress, strict)
const Fault = Type.Object({ line: count, pointer: text(200), detail: text(500) }, strict)
const KeptRow = Type.Object({ line: count, productId: Id, sku: text(64), why: text(500) }, strict)
const Report = Type.Object(
  {
    ...progress,
    errors: Type.Array(Fault, { maxItems: 1_000 }),
    undone: count,
    kept: count,
    keptRows: Type.Array(KeptRow, { maxItems: 1_000 }),
    page: count,
    pageSize: count,
  },
  strict,
)
const Pages = Type.Object(
  {
    page: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1 })),
    pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
  },
  strict,
)
const Imports = Type.Object(
  { data: Type.Array(Progress, { maxItems: 1_000 }), page: count, pageSize: count, total: count },
  strict,
)

/** Publishes bulk imports. */
export function productImportRoutes(server: FastifyInstance, context: ApiContext): void {
  // In a scope of its own: only here is a body a stream.
  server.register(async scope => {
    useUploads(scope)
    upload(scope, context)
  })
  reads(server, context)
  steps(server, context)
}

const UploadQuery = Type.Object({ dryRun: Type.Optional(Type.Boolean({ default: false })) }, strict)

function upload(server: FastifyInstance, context: ApiContext): void {
  const file = (description: string) => ({
    schema: Type.String({ description, maxLength: uploadBytesMax }),
  })
  publish(server, {
    method: 'POST',
    url: '/products/imports',
    access,
    config: { timeoutMs: uploadTimeoutMs },
    bodyLimit: uploadBytesMax,
    async preValidation(request) {
      requireKey(request)
    },
    summary: 'Import products from a file; with dryRun, only validate it',
    tag,
    operationId: 'importProducts',
    description:
      'Rows with sku, name, price, stock and more, by SKU: existing products are changed, ' +
      'others are created. The response is 202 with the URL of the progress.',
    headers: commandHeaders({ requireKey: true }),
    query: UploadQuery,
    schema: {
      body: {
        content: {
          'text/csv': file(`UTF-8, separated by commas, after a header of some of: ${columns}`),
          'application/x-ndjson': file(`UTF-8, one JSON object a line, of some of: ${columns}`),
        },
      },
    },
    status: 202,
    answer: Report,
    handle: (request, reply) => server.limit(request, () => receive(context, request, reply)),
  })
}

async function receive(
  context: ApiContext,
  request: FastifyRequest<{ Querystring: Static<typeof UploadQuery> }>,
  reply: FastifyReply,
) {
  const { commandId, correlationId } = envelopeOf(context, request, {})
  const importId = derivedId(commandId, 'import')
  const { format, content } = readUpload(request)
  const received = await context.productImports.receive({
    importId,
    correlationId,
    requestedBy: signedIn(request),
    format,
    dryRun: request.query.dryRun ?? false,
    content,
  })
  if (received === 'too-large') {
    reply.header('connection', 'close')
    throw new HttpProblem('request/too-large', `The file must not exceed ${uploadBytesMax} bytes.`)
  }
  if (received === 'other') {
    throw new HttpProblem('command/key-reused', 'The Idempotency-Key was used for another file.')
  }
  if (received === 'replayed') reply.header('idempotent-replayed', 'true')
  return accepted(context, reply, importId)
}

async function accepted(context: ApiContext, reply: FastifyReply, importId: string) {
  const report = await reportOf(context, importId, {})
  return reply.header('location', `/api/products/imports/${importId}`).send(report)
}

async function reportOf(
  { db }: ApiContext,
  importId: string,
  { page = 1, pageSize = 100 }: Static<typeof Pages>,
) {
  const report = await importReport(db, importId, { page, pageSize })
  if (report === undefined) throw new HttpProblem('import/not-found', 'The import does not exist.')
  return report
}

function reads(server: FastifyInstance, context: ApiContext): void {
  const streams = createProgressStreams(server)
  readRoute(server, context, {
    tag,
    access,
    from: [],
    url: '/products/imports',
    summary: 'List imports, newest first',
    operationId: 'listImports',
    query: Pages,
    answer: Imports,
    handle: ({ query: { page = 1, pageSize = 100 } }) =>
      listImports(context.db, { page, pageSize }),
  })
  publish(server, {
    method: 'GET',
    url: '/products/imports/:importId',
    access,
    summary: 'Get the progress and errors of an import; as text/event-stream, live',
    tag,
    operationId: 'getImport',
    params,
    query: Pages,
    answer: {
      description: 'The import; as a stream, progress events and a final done event',
      content: {
        'application/json': { schema: Report },
        'text/event-stream': { schema: Type.String() },
      },
    },
    async handle(request, reply) {
      const report = await server.readLimit(request, () =>
        reportOf(context, request.params.importId, request.query),
      )
      if (!acceptsEvents(request)) {
        return reply.type('application/json; charset=utf-8').send(report)
      }
      return streams.follow(request, reply, async () => {
        const state = await importProgress(context.db, request.params.importId)
        return state && { state, isDone: hasEnded(state) }
      })
    },
  })
}

/** What may be asked of an import, and the statuses that it leads to. */
function steps(server: FastifyInstance, context: ApiContext): void {
  const { productImports } = context
  const status = 202 as const
  const shared = { access, tag, params, headers: commandHeaders({}), status, answer: Report }
  publish(server, {
    method: 'DELETE',
    url: '/products/imports/:importId',
    ...shared,
    summary: 'Cancel an import; completed rows remain',
    operationId: 'cancelImport',
    async handle(request, reply) {
      const { importId } = request.params
      await productImports.cancel(importId)
      await expectStatus(context, importId, ['cancelling', 'cancelled'])
      return accepted(context, reply, importId)
    },
  })
  publish(server, {
    method: 'POST',
    url: '/products/imports/:importId/undo',
    ...shared,
    summary: 'Undo an import, except rows that have been changed since',
    operationId: 'undoImport',
    description:
      'Row by row; rows changed by others since remain, and are reported with the reason.',
    async handle(request, reply) {
      const { importId } = request.params
      await productImports.undo(importId, signedIn(request))
      await expectStatus(context, importId, ['undoing', 'undone'])
      return accepted(context, reply, importId)
    },
  })
}

async function expectStatus(
  context: ApiContext,
  importId: string,
  expected: readonly ImportStatus[],
): Promise<void> {
  const { status, dryRun } = await reportOf(context, importId, { pageSize: 1 })
  if (expected.includes(status)) return
  const kind = dryRun ? 'a dry run that is' : 'an import that is'
  throw new HttpProblem(
    'import/illegal-status',
    `The operation is not possible for ${kind} ${status}.`,
    {
      status,
    },
  )
}
