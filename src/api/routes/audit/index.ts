// The log over HTTP: events, states of the past, and the proof that nothing was changed.
import type { RouteGroup } from '../../http/route.ts'
import { auditChainRoutes, auditKeyRoutes } from './auditChain.ts'
import { auditLogRoutes } from './auditEvents.ts'
import { auditStateRoutes } from './auditStates.ts'

export const audit: RouteGroup = {
  api: [auditLogRoutes, auditStateRoutes, auditChainRoutes],
  root: [auditKeyRoutes],
}
