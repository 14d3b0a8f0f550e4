// The shop as commands see it: a repository for each kind of aggregate, and the ports around it.
import type { Cart, CartEvent } from '../../domain/cart/cart.ts'
import type { Category, CategoryEvent } from '../../domain/catalogue/category.ts'
import type { CategoryName, CategoryNameEvent } from '../../domain/catalogue/categoryName.ts'
import type { Product, ProductEvent } from '../../domain/catalogue/product.ts'
import type { SkuClaim, SkuClaimEvent } from '../../domain/catalogue/skuClaim.ts'
import type { Customer, CustomerEvent } from '../../domain/customer/customer.ts'
import type { LedgerImport, LedgerImportEvent } from '../../domain/ledger/ledgerImport.ts'
import type { CreditNote, CreditNoteEvent } from '../../domain/order/creditNote.ts'
import type { OpenOrderEvent, OpenOrders, UnpaidBounds } from '../../domain/order/openOrders.ts'
import type { Order, OrderEvent } from '../../domain/order/order.ts'
import type { OfferedMethods } from '../../domain/order/paymentMethods.ts'
import type { Stock, StockEvent } from '../../domain/stock/stock.ts'
import type { Clock } from '../../ports/envelope.ts'
import type { PaymentProvider } from '../../ports/payments.ts'
import type { OrderPricing } from '../../ports/plugins.ts'
import type { Repository } from './repositoryTypes.ts'

export interface App {
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
  /** Adds what providers of plugins charge, when an order is placed. */
  pricing: OrderPricing
  /** What customers can pay with. */
  paymentMethods: OfferedMethods
}

/** What one customer can order; 0 is no bound. */
export interface Bounds {
  /** The most pieces of one product in a cart or an order. */
  orderPieces: number
  unpaid: UnpaidBounds
}

export interface OrderNumberSource {
  /**
   * To be called when an order arrives: has numbers reserved meanwhile where none are at hand.
   * Answers how to take a number for it. That throws Unavailable.
   */
  request(): () => Promise<string>
  /** Leaves the next numbers to nobody, so many of them. Throws Unavailable. */
  skip(count: number): Promise<void>
}
