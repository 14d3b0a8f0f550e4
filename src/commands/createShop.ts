// Creates the repositories that commands work with, and the ports around them.
import { cart } from '../domain/cart.ts'
import { category } from '../domain/category.ts'
import { categoryName } from '../domain/categoryName.ts'
import { creditNote } from '../domain/creditNote.ts'
import { customer } from '../domain/customer.ts'
import { ledgerImport } from '../domain/ledgerImport.ts'
import { openOrders } from '../domain/openOrders.ts'
import { order } from '../domain/order.ts'
import { orderNumbers } from '../domain/orderNumbers.ts'
import type { OfferedMethods } from '../domain/paymentMethods.ts'
import { product } from '../domain/product.ts'
import { skuClaim } from '../domain/skuClaim.ts'
import { stock } from '../domain/stock.ts'
import { orderNumberSource } from './orderNumbers.ts'
import type { PaymentProvider } from './paymentPorts.ts'
import type { Clock } from './ports.ts'
import { createRepository } from './repository.ts'
import type { RepositoryParts } from './repositoryTypes.ts'
import type { Bounds, Shop } from './shop.ts'

export interface ShopParts extends RepositoryParts {
  clock: Clock
  payments: PaymentProvider
  currency: string
  /** Half an hour when it is not said. */
  orderExpiryMs?: number
  /** Two weeks when it is not said. */
  manualPaymentMs?: number
  /** None when they are not said. */
  bounds?: Bounds
  /** Cards when it is not said. */
  paymentMethods?: OfferedMethods
}

const defaults = {
  orderExpiryMs: 1_800_000,
  manualPaymentMs: 14 * 86_400_000,
  paymentMethods: ['card'],
  bounds: { orderPieces: 0, unpaid: { orders: 0, pieces: 0 } },
}

/** Puts the shop together. One process has one: its queues keep commands to a stream in line. */
export function createShop(all: ShopParts): Shop {
  const { clock, payments, currency, bounds, paymentMethods, ...rest } = { ...defaults, ...all }
  const { orderExpiryMs, manualPaymentMs, ...parts } = rest
  return {
    carts: createRepository(cart, parts),
    categories: createRepository(category, parts),
    categoryNames: createRepository(categoryName, parts),
    creditNotes: createRepository(creditNote, parts),
    customers: createRepository(customer, parts),
    ledgerImports: createRepository(ledgerImport, parts),
    openOrders: createRepository(openOrders, parts),
    orders: createRepository(order, parts),
    orderNumbers: orderNumberSource({ repository: createRepository(orderNumbers, parts), clock }),
    products: createRepository(product, parts),
    skuClaims: createRepository(skuClaim, parts),
    stock: createRepository(stock, parts),
    clock,
    payments,
    currency,
    orderExpiryMs,
    manualPaymentMs,
    paymentMethods,
    bounds,
  }
}
