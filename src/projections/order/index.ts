// The projections of orders.
import { orderProcesses } from './orderProcesses.ts'
import { ordersProjection } from './orders.ts'

export const orderProjections = [ordersProjection, orderProcesses]
