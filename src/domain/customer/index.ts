// What the customer context adds to the domain: its aggregates, by the name of their repository.
import { customer } from './customer.ts'

export const customerAggregates = { customers: customer }
