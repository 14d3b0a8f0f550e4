// The projections of stock.
import { stockProjection } from './stock.ts'

export const stockProjections = [stockProjection]
