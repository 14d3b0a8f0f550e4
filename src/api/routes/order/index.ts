// Orders over HTTP, with their payments, refunds and disputes.
import { Charge, OrderLine } from '../../../domain/order/orderEvents.ts'
import type { RouteGroup } from '../../http/route.ts'
import { disputeRoutes } from './disputes.ts'
import { linkPages } from './linkPages.ts'
import { OrderDetail, OrderHistory, OrderSummary } from './orderSchemas.ts'
import { orderRoutes } from './orders.ts'
import { paymentCallbackRoutes } from './paymentCallbacks.ts'
import { paymentMethodRoutes } from './paymentMethods.ts'
import { refundRoutes } from './refunds.ts'

export const order: RouteGroup = {
  api: [orderRoutes, refundRoutes, disputeRoutes, paymentCallbackRoutes, paymentMethodRoutes],
  root: [linkPages],
  schemas: { Charge, OrderDetail, OrderHistory, OrderLine, OrderSummary },
}
