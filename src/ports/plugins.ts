// What a plugin is, and the providers that it can contribute. Plugin authors import these types.
import type { Rejection } from '../domain/kernel/rejection.ts'
import type { Money } from '../domain/kernel/types.ts'
import type { Charge, OrderLine } from '../domain/order/orderEvents.ts'
import type { Mail, SendResult } from './mail.ts'
import type { PaymentProvider } from './payments.ts'

/** The default export of a module that is named in PLUGINS. */
export interface Plugin {
  /** Lower-case letters, digits and hyphens. */
  name: string
  /** Called once in each process, before it serves. Throws what an operator has to put right. */
  setup(context: PluginContext): Providers | Promise<Providers>
}

export interface PluginContext {
  /** The currency of every price of this shop. */
  currency: string
  shopName: string
  /** The sender of every mail. */
  mailFrom: string
}

/** At most one provider of each kind in a shop, from whichever plugin. */
export interface Providers {
  promotion?: PromotionProvider
  shipping?: ChargeProvider
  tax?: ChargeProvider
  payment?: PaymentProvider
  mail?: MailProvider
  /** Called when the process stops. */
  close?(): Promise<void> | void
}

/** An order that is about to be submitted. */
export interface OrderToPrice {
  /** The same when a request is repeated. */
  orderId: string
  customerId: string
  currency: string
  /** ISO 3166-1, two letters; null where the customer gave none. */
  country: string | null
  shippingAddress: string
  paymentMethod: string
  lines: readonly OrderLine[]
  /** What was added before: empty for promotion and shipping, those of shipping for tax. */
  charges: readonly Charge[]
}

/** Lowers the prices of single products, before shipping and tax are asked. */
export interface PromotionProvider {
  /** Unit prices of some of the products, each between zero and the price in the line. */
  unitPrices(order: OrderToPrice): Answer<readonly { productId: string; unitPrice: Money }[]>
}

/** Adds what an order costs beside its goods. Amounts are not negative. */
export interface ChargeProvider {
  charges(order: OrderToPrice): Answer<readonly Charge[]>
}

export interface MailProvider {
  /**
   * Sends one mail, whose id is the same whenever it is tried again. An error means that it is not
   * known whether the mail was sent.
   */
  send(mail: Mail): Promise<SendResult>
}

type Answer<T> = T | Promise<T>

/** What the providers make of an order; frozen in OrderSubmitted. */
export interface PricedOrder {
  lines: readonly OrderLine[]
  charges: readonly Charge[]
}

/** Asks the providers of a shop for the price of an order. */
export type OrderPricing = (order: OrderToPrice) => Promise<PricedOrder | Rejection>
