// The application as commands see it: a repository for each aggregate, and the ports around it.
import type { Aggregates } from '../../domain/index.ts'
import type { Aggregate } from '../../domain/kernel/aggregate.ts'
import type { UnpaidBounds } from '../../domain/order/openOrders.ts'
import type { OfferedMethods } from '../../domain/order/paymentMethods.ts'
import type { Clock } from '../../ports/envelope.ts'
import type { PaymentProvider } from '../../ports/payments.ts'
import type { OrderPricing } from '../../ports/plugins.ts'
import type { Repository } from './repositoryTypes.ts'

type RepositoryOf<Kind> =
  Kind extends Aggregate<infer State, infer Event> ? Repository<State, Event> : never

/** By the names that the contexts of the domain give them. */
export type Repositories = { [Name in keyof Aggregates]: RepositoryOf<Aggregates[Name]> }

export interface App extends Omit<Repositories, 'orderNumbers'> {
  /** Where new orders get their numbers. */
  orderNumbers: OrderNumberSource
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
  /** Skips the next `count` numbers. Throws Unavailable. */
  skip(count: number): Promise<void>
}
