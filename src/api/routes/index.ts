// All routes of the API, by context.
import type { RouteGroup } from '../http/route.ts'
import { realtimeRoutes } from '../realtime/realtime.ts'
import { account } from './account/index.ts'
import { audit } from './audit/index.ts'
import { cart } from './cart/index.ts'
import { catalogue } from './catalogue/index.ts'
import { operations } from './operations/index.ts'
import { order } from './order/index.ts'
import { pages } from './pages/index.ts'
import { sales } from './sales/index.ts'

export const routeGroups: readonly RouteGroup[] = [
  pages,
  account,
  catalogue,
  cart,
  order,
  { root: [realtimeRoutes] },
  operations,
  sales,
  audit,
]
