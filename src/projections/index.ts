// Every projection, by context.
import { auditProjections } from './audit/index.ts'
import { cartProjections } from './cart/index.ts'
import { catalogueProjections } from './catalogue/index.ts'
import type { Projection } from './core/projection.ts'
import { customerProjections } from './customer/index.ts'
import { orderProjections } from './order/index.ts'
import { salesProjections } from './sales/index.ts'
import { stockProjections } from './stock/index.ts'

export const projections: readonly Projection[] = [
  ...catalogueProjections,
  ...cartProjections,
  ...orderProjections,
  ...customerProjections,
  ...stockProjections,
  ...salesProjections,
  ...auditProjections,
]
