// Disputes, and what the payment provider told that somebody has to see to.
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { actorId } from '../../../commands/core/command.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { disputeOutcomes, disputeStages } from '../../../domain/order/orderEvents.ts'
import {
  findFinding,
  listDisputes,
  listFindings,
} from '../../../projections/order/disputeQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { answerPage } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { commandHeaders } from '../../http/requests.ts'
import { PageQuery, pageOf, problemResponses } from '../../http/schemas.ts'
import { ListedDispute, PaymentFinding } from './paymentSchemas.ts'

const tag = 'Payments'
const DisputeQuery = Type.Object(
  {
    ...PageQuery,
    state: Type.Optional(Type.Enum(['open', ...disputeStages, ...disputeOutcomes])),
  },
  strict,
)
const FindingQuery = Type.Object(
  { ...PageQuery, state: Type.Optional(Type.Enum(['open', 'resolved'])) },
  strict,
)
const FindingParams = Type.Object({ findingId: Id }, strict)

/** Publishes disputes and findings. */
export function disputeRoutes(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access: ['admin', 'auditor', 'support'],
    from: ['orders'],
    url: '/admin/disputes',
    summary: 'List disputes by state, newest first',
    operationId: 'listDisputes',
    query: DisputeQuery,
    answer: pageOf(ListedDispute),
    async handle(request, reply) {
      const { state } = request.query
      const list = { of: { disputes: state }, kind: 'time' as const }
      return answerPage({ request, reply }, list, part => listDisputes(context.db, { state, part }))
    },
  })
  readRoute(server, context, {
    tag,
    access: ['admin', 'auditor'],
    from: [],
    url: '/admin/payment-findings',
    summary: 'List payment findings that need attention',
    operationId: 'listPaymentFindings',
    query: FindingQuery,
    answer: pageOf(PaymentFinding),
    async handle(request, reply) {
      const { state } = request.query
      const list = { of: { findings: state }, kind: 'time' as const }
      return answerPage({ request, reply }, list, part => listFindings(context.db, { state, part }))
    },
  })
  resolving(server, context)
}

function resolving(server: FastifyInstance, context: ApiContext): void {
  server.post<{ Params: Static<typeof FindingParams> }>(
    '/admin/payment-findings/:findingId/resolve',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Mark a payment finding as resolved',
        tags: [tag],
        operationId: 'resolvePaymentFinding',
        headers: commandHeaders({}),
        params: FindingParams,
        response: { 200: PaymentFinding, ...problemResponses },
      },
    },
    async request => {
      const { findingId } = request.params
      if (await context.callbacks.resolve(findingId, actorId(request.actor) ?? 'unknown')) {
        request.log.info({ event: 'payment-finding-resolved', findingId }, 'finding resolved')
      }
      const finding = await findFinding(context.db, findingId)
      if (finding !== undefined) return finding
      throw new HttpProblem('payment/finding-not-found', 'The finding does not exist.')
    },
  )
}
