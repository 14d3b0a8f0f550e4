// The shop as commands see it: a repository for each kind of aggregate, and the ports around it.
import { type Cart, type CartEvent, cart } from '../domain/cart.ts'
import { type Category, type CategoryEvent, category } from '../domain/category.ts'
import { type CategoryName, type CategoryNameEvent, categoryName } from '../domain/categoryName.ts'
import { type CreditNote, type CreditNoteEvent, creditNote } from '../domain/creditNote.ts'
import { type Customer, type CustomerEvent, customer } from '../domain/customer.ts'
import { type LedgerImport, type LedgerImportEvent, ledgerImport } from '../domain/ledgerImport.ts'
import {
  type OpenOrderEvent,
  type OpenOrders,
  openOrders,
  type UnpaidBounds,
} from '../domain/openOrders.ts'
import { type Order, type OrderEvent, order } from '../domain/order.ts'
import { orderNumbers } from '../domain/orderNumbers.ts'
import type { OfferedMethods } from '../domain/paymentMethods.ts'
import { type Product, type ProductEvent, product } from '../domain/product.ts'
import { type SkuClaim, type SkuClaimEvent, skuClaim } from '../domain/skuClaim.ts'
import { type Stock, type StockEvent, stock } from '../domain/stock.ts'
import { type OrderNumberSource, orderNumberSource } from './orderNumbers.ts'
import type { Clock, PaymentProvider } from './ports.ts'
import { createRepository, type Repository, type RepositoryParts } from './repository.ts'

export interface Shop {
  carts: Repository<Cart, CartEvent>
  categories: Repository<Category, CategoryEvent>
  categoryNames: Repository<CategoryName, CategoryNameEvent>
  creditNotes: Repository<CreditNote, CreditNoteEvent>
  customers: Repository<Customer, CustomerEvent>
  ledgerImports: Repository<LedgerImport, LedgerImportEvent>
  openOrders: Repository<OpenOrders, OpenOrderEvent>
  orders: Repository<Order, OrderEvent>
  /** Where new orders get their numbers. */
  orderNumbers: OrderNumberSource
  products: Repository<Product, ProductEvent>
  skuClaims: Repository<SkuClaim, SkuClaimEvent>
  stock: Repository<Stock, StockEvent>
  clock: Clock
  payments: PaymentProvider
  /** Prices of this shop are in this currency. */
  currency: string
  /** How long an order waits to be paid: through the provider, and by hand. */
  orderExpiryMs: number
  manualPaymentMs: number
  bounds: Bounds
  /** What customers can pay with. */
  paymentMethods: OfferedMethods
}

/** What one customer can order; 0 is no bound. */
export interface Bounds {
  /** The most pieces of one product in a cart or an order. */
  orderPieces: number
  unpaid: UnpaidBounds
}

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
