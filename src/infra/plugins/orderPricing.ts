// Asks the providers of plugins what an order costs, and checks what they answer.
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { sum, times } from '../../domain/kernel/money.ts'
import { reject } from '../../domain/kernel/rejection.ts'
import { Id, Money, strict } from '../../domain/kernel/types.ts'
import { Charge, type OrderLine } from '../../domain/order/orderEvents.ts'
import { withDeadline } from '../../kit/deadline.ts'
import type { OrderPricing, OrderToPrice, Providers } from '../../ports/plugins.ts'

/** A customer waits for the answer. */
const deadlineMs = 2_000

const chargesChecker = Compile(Type.Array(Charge, { maxItems: 100 }))
const UnitPrice = Type.Object({ productId: Id, unitPrice: Money }, strict)
const pricesChecker = Compile(Type.Array(UnitPrice, { maxItems: 5_000 }))

export type PricingKind = 'promotion' | 'shipping' | 'tax'

/** A provider has failed, was late or has answered something invalid. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault'
  readonly kind: PricingKind
  readonly isInvalid: boolean

  constructor(kind: PricingKind, fault: string, isInvalid: boolean) {
    super(fault)
    this.kind = kind
    this.isInvalid = isInvalid
  }
}

type PricingProviders = Pick<Providers, PricingKind>

/** The order at the prices of the providers, or a rejection where one of them fails. */
export function createOrderPricing(
  providers: PricingProviders,
  onFault: (kind: string, fault: string) => void = () => undefined,
): OrderPricing {
  return async order => {
    try {
      return await askProviders(providers, order)
    } catch (error) {
      if (!(error instanceof ProviderFault)) throw error
      const { kind, message, isInvalid } = error
      onFault(kind, message)
      return isInvalid
        ? reject('order/provider-invalid', `The ${kind} provider answered something invalid.`)
        : reject('order/provider-unavailable', `The ${kind} provider did not answer: try again.`)
    }
  }
}

/** Promotion, shipping and tax, in this order. Throws ProviderFault. */
export async function askProviders(providers: PricingProviders, order: OrderToPrice) {
  const { promotion, shipping, tax } = providers
  const lines = promotion
    ? await ask('promotion', order, async copy => repriced(order, await promotion.unitPrices(copy)))
    : order.lines
  const sent = shipping
    ? await ask('shipping', { ...order, lines }, async copy =>
        charged(order, await shipping.charges(copy)),
      )
    : []
  const taxed = tax
    ? await ask('tax', { ...order, lines, charges: sent }, async copy =>
        charged(order, await tax.charges(copy)),
      )
    : []
  return { lines, charges: [...sent, ...taxed] }
}

/** What makes an answer invalid. */
class InvalidAnswer extends Error {}

async function ask<T>(
  kind: PricingKind,
  order: OrderToPrice,
  work: (copy: OrderToPrice) => Promise<T>,
): Promise<T> {
  try {
    // A copy: whatever the provider does to it, the order stays what it is.
    return await withDeadline(deadlineMs, `the ${kind} provider`, work(structuredClone(order)))
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error)
    throw new ProviderFault(kind, fault, error instanceof InvalidAnswer)
  }
}

function charged({ currency }: OrderToPrice, answer: unknown): Charge[] {
  if (!chargesChecker.Check(answer)) throw invalid(chargesChecker.Errors(answer))
  return checkedSum(
    answer,
    answer.map(({ amount }) => amount),
    currency,
  )
}

function repriced({ lines, currency }: OrderToPrice, answer: unknown): OrderLine[] {
  if (!pricesChecker.Check(answer)) throw invalid(pricesChecker.Errors(answer))
  const prices = new Map(answer.map(({ productId, unitPrice }) => [productId, unitPrice]))
  const known = new Set(lines.map(({ productId }) => productId))
  for (const productId of prices.keys()) {
    if (!known.has(productId)) throw new InvalidAnswer(`product ${productId} is not in the order`)
  }
  const lowered = lines.map(line => {
    const unitPrice = prices.get(line.productId) ?? line.unitPrice
    if (unitPrice.amount > line.unitPrice.amount) {
      throw new InvalidAnswer(`the price of ${line.productId} is higher than before`)
    }
    return { ...line, unitPrice, total: times(unitPrice, line.quantity) }
  })
  return checkedSum(
    lowered,
    lowered.map(({ unitPrice }) => unitPrice),
    currency,
  )
}

/** The items, when their amounts are in the currency and can be added. */
function checkedSum<T>(items: T[], amounts: readonly Money[], currency: string): T[] {
  const foreign = amounts.find(amount => amount.currency !== currency)
  if (foreign) throw new InvalidAnswer(`an amount is in ${foreign.currency}, not in ${currency}`)
  if (!Number.isSafeInteger(sum(amounts, currency).amount)) {
    throw new InvalidAnswer('the amounts are too large to be added')
  }
  return items
}

function invalid([error]: { instancePath: string; message: string }[]): InvalidAnswer {
  const { instancePath = '', message = 'invalid' } = error ?? {}
  return new InvalidAnswer(`${instancePath || 'the answer'} ${message}`)
}
