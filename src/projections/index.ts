// Every projection of the shop, in one visible list.

import { eventIndex } from './audit/eventIndex.ts'
import { cartsProjection } from './cart/carts.ts'
import { catalogue } from './catalogue/catalogue.ts'
import { priceHistory } from './catalogue/priceHistory.ts'
import type { Projection } from './core/projection.ts'
import { customersProjection } from './customer/customers.ts'
import { orderProcesses } from './order/orderProcesses.ts'
import { ordersProjection } from './order/orders.ts'
import { sales } from './sales/sales.ts'
import { stockProjection } from './stock/stock.ts'

export const projections: readonly Projection[] = [
  catalogue,
  cartsProjection,
  ordersProjection,
  customersProjection,
  stockProjection,
  priceHistory,
  sales,
  orderProcesses,
  eventIndex,
]
