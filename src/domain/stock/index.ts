// What the stock context adds to the domain: its aggregates, by the name of their repository.
import { stock } from './stock.ts'

export const stockAggregates = { stock }
