// Sales over HTTP.
import type { RouteGroup } from '../../http/route.ts'
import { reportRoutes } from './reports.ts'

export const sales: RouteGroup = { api: [reportRoutes] }
