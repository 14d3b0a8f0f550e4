// What operators see and do: health, projections, parked events, queues, mails and webhooks.
import type { RouteGroup } from '../../http/route.ts'
import { mailRoutes } from './mails.ts'
import { healthRoutes } from './operations.ts'
import { parkedEventRoutes } from './parkedEvents.ts'
import { projectionRoutes } from './projections.ts'
import { queueBoard } from './queueBoard.ts'
import { queueSessionRoutes } from './queueSession.ts'
import { webhookRoutes } from './webhooks.ts'

export const operations: RouteGroup = {
  api: [projectionRoutes, parkedEventRoutes, queueSessionRoutes, webhookRoutes, mailRoutes],
  root: [healthRoutes, queueBoard],
}
