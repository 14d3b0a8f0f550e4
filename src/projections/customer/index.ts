// The projections of customers.
import { customersProjection } from './customers.ts'

export const customerProjections = [customersProjection]
