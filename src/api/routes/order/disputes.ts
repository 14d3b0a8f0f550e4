// Disputes, and what the payment provider told that somebody has to see to.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { actorId } from '../../../commands/core/command.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { disputeOutcomes, disputeStages } from '../../../domain/order/orderEvents.ts'
import {
  findFinding,
  listDisputes,
  listFindings,
} from '../../../projections/order/disputeQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute } from '../../http/readRoute.ts'
import { commandHeaders } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { PageQuery } from '../../http/schemas.ts'
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
  listRoute(server, context, {
    tag,
    access: ['admin', 'auditor', 'support'],
    from: ['orders'],
    url: '/admin/disputes',
    summary: 'List disputes by state, newest first',
    operationId: 'listDisputes',
    query: DisputeQuery,
    item: ListedDispute,
    sort: 'time',
    read: ({ query: { state } }, part) => listDisputes(context.db, { state, part }),
  })
  listRoute(server, context, {
    tag,
    access: ['admin', 'auditor'],
    from: [],
    url: '/admin/payment-findings',
    summary: 'List payment findings that need attention',
    operationId: 'listPaymentFindings',
    query: FindingQuery,
    item: PaymentFinding,
    sort: 'time',
    read: ({ query: { state } }, part) => listFindings(context.db, { state, part }),
  })
  resolving(server, context)
}

function resolving(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/payment-findings/:findingId/resolve',
    access: ['admin'],
    summary: 'Mark a payment finding as resolved',
    tag,
    operationId: 'resolvePaymentFinding',
    headers: commandHeaders({}),
    params: FindingParams,
    answer: PaymentFinding,
    async handle(request) {
      const { findingId } = request.params
      if (await context.callbacks.resolve(findingId, actorId(request.actor) ?? 'unknown')) {
        request.log.info({ event: 'payment-finding-resolved', findingId }, 'finding resolved')
      }
      const finding = await findFinding(context.db, findingId)
      if (finding !== undefined) return finding
      throw new HttpProblem('payment/finding-not-found', 'The finding does not exist.')
    },
  })
}
