// Every projection of the shop, in one visible list.
import { cartsProjection } from './carts.ts'
import { catalogue } from './catalogue.ts'
import { customersProjection } from './customers.ts'
import { eventIndex } from './eventIndex.ts'
import { orderProcesses } from './orderProcesses.ts'
import { ordersProjection } from './orders.ts'
import { priceHistory } from './priceHistory.ts'
import type { Projection } from './projection.ts'
import { sales } from './sales.ts'
import { stockProjection } from './stock.ts'

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
