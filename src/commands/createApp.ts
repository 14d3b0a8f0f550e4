// Creates the application: the repositories that commands work with, and the ports around them.
import type { OfferedMethods } from '../domain/order/paymentMethods.ts'
import type { Clock } from '../ports/envelope.ts'
import type { PaymentProvider } from '../ports/payments.ts'
import type { OrderPricing } from '../ports/plugins.ts'
import type { App, Bounds } from './core/app.ts'
import type { RepositoryParts } from './core/repositoryTypes.ts'
import { createRepositories } from './index.ts'
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

/** Creates the application. A process has one: it queues the commands on each stream. */
export function createApp(options: AppOptions): App {
  const { clock, payments, currency, bounds, paymentMethods, pricing, ...rest } = {
    ...defaults,
    ...options,
  }
  const { orderExpiryMs, manualPaymentMs, ...parts } = rest
  const { orderNumbers, ...repositories } = createRepositories(parts)
  return {
    ...repositories,
    orderNumbers: orderNumberSource({ repository: orderNumbers, clock }),
    ...{ clock, payments, pricing, currency, paymentMethods, bounds },
    ...{ orderExpiryMs, manualPaymentMs },
  }
}
