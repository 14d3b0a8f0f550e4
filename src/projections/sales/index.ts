// The projections of sales.
import { sales } from './sales.ts'

export const salesProjections = [sales]
