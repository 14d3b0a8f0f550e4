// The projections of the catalogue.
import { catalogue } from './catalogue.ts'
import { priceHistory } from './priceHistory.ts'

export const catalogueProjections = [catalogue, priceHistory]
