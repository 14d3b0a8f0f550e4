// Creates the repositories that commands work with, and the ports around them.
import { cart } from '../domain/cart/cart.ts'
import { category } from '../domain/catalogue/category.ts'
import { categoryName } from '../domain/catalogue/categoryName.ts'
import { product } from '../domain/catalogue/product.ts'
import { skuClaim } from '../domain/catalogue/skuClaim.ts'
import { customer } from '../domain/customer/customer.ts'
import { ledgerImport } from '../domain/ledger/ledgerImport.ts'
import { creditNote } from '../domain/order/creditNote.ts'
import { openOrders } from '../domain/order/openOrders.ts'
import { order } from '../domain/order/order.ts'
import { orderNumbers } from '../domain/order/orderNumbers.ts'
import type { OfferedMethods } from '../domain/order/paymentMethods.ts'
import { stock } from '../domain/stock/stock.ts'
import type { Clock } from '../ports/envelope.ts'
import type { PaymentProvider } from '../ports/payments.ts'
import type { OrderPricing } from '../ports/plugins.ts'
import type { App, Bounds } from './core/app.ts'
import { createRepository } from './core/repository.ts'
import type { RepositoryParts } from './core/repositoryTypes.ts'
import { orderNumberSource } from './order/orderNumbers.ts'

export interface AppOptions extends RepositoryParts {
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
  /** Goods alone when it is not said. */
  pricing?: OrderPricing
}

const goodsAlone: OrderPricing = async ({ lines }) => ({ lines, charges: [] })

const defaults = {
  orderExpiryMs: 1_800_000,
  manualPaymentMs: 14 * 86_400_000,
  paymentMethods: ['card'],
  bounds: { orderPieces: 0, unpaid: { orders: 0, pieces: 0 } },
  pricing: goodsAlone,
}

/** Puts the shop together. One process has one: its queues keep commands to a stream in line. */
export function createApp(all: AppOptions): App {
  const { clock, payments, currency, bounds, paymentMethods, pricing, ...rest } = {
    ...defaults,
    ...all,
  }
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
    pricing,
  }
}
