// The settings of ordering: how long orders wait for their money, and how they can be paid.
import Type from 'typebox'
import { importedMethod, manualMethods } from '../domain/order/paymentMethods.ts'

type Provider = 'simulated' | 'stripe' | 'plugin'

/** What each provider takes; `pm_*` are the ids of Stripe. A plugin may take others as well. */
const methodsOf: Readonly<Record<Provider, readonly string[]>> = {
  simulated: ['card', 'card_declined', 'card_needs_action', 'card_timeout', 'card_late'],
  stripe: ['card', 'pm_*'],
  plugin: ['card'],
}

interface SchemaHelpers {
  range(minimum: number, maximum: number): { minimum: number; maximum: number; description: string }
  list(isItem: (text: string) => boolean, description: string): ReturnType<typeof stringList>
}

function stringList() {
  return Type.Array(
    Type.Refine(Type.String(), () => true),
    { default: [] },
  )
}

/** Their part of the schema. */
export function orderSchema({ range, list }: SchemaHelpers) {
  return {
    ORDER_EXPIRY_MINUTES: Type.Integer({ ...range(1, 525_600), default: 30 }),
    PAYMENT_METHODS: list(
      method => /^[a-z][a-z0-9_]{0,38}\*?$/.test(method),
      'names separated by commas: invoice, bank_transfer, and what PAYMENT_PROVIDER takes ' +
        `(simulated: ${methodsOf.simulated.join(', ')}; stripe: ${methodsOf.stripe.join(', ')}; ` +
        'plugin: any names)',
    ),
    MANUAL_PAYMENT_DAYS: Type.Integer({ ...range(1, 365), default: 14 }),
    ORDER_PIECES_MAX: Type.Integer({ ...range(0, 1_000_000), default: 100 }),
    UNPAID_ORDERS_MAX: Type.Integer({ ...range(0, 10_000), default: 20 }),
    UNPAID_PIECES_MAX: Type.Integer({ ...range(0, 1_000_000_000), default: 500 }),
  }
}

interface Values {
  ORDER_EXPIRY_MINUTES: number
  PAYMENT_METHODS: readonly string[]
  MANUAL_PAYMENT_DAYS: number
  ORDER_PIECES_MAX: number
  UNPAID_ORDERS_MAX: number
  UNPAID_PIECES_MAX: number
  RATE_LIMITS: 'on' | 'off'
  PAYMENT_PROVIDER: Provider
}

/** The settings of ordering as the shop uses them. */
export function orderingOf(values: Values) {
  const { PAYMENT_METHODS: methods, PAYMENT_PROVIDER: provider } = values
  const isOn = values.RATE_LIMITS === 'on'
  return Object.freeze({
    bounds: Object.freeze({
      orderPieces: isOn ? values.ORDER_PIECES_MAX : 0,
      unpaid: Object.freeze({
        orders: isOn ? values.UNPAID_ORDERS_MAX : 0,
        pieces: isOn ? values.UNPAID_PIECES_MAX : 0,
      }),
    }),
    orderExpiryMs: values.ORDER_EXPIRY_MINUTES * 60_000,
    manualPaymentMs: values.MANUAL_PAYMENT_DAYS * 86_400_000,
    paymentMethods: Object.freeze([...new Set(methods.length > 0 ? methods : methodsOf[provider])]),
  })
}

/** Whether the provider takes every method that is offered and not paid by hand. */
export function fitsProvider(values: Readonly<Record<string, unknown>>): boolean {
  const { PAYMENT_METHODS: methods, PAYMENT_PROVIDER: provider } = values
  if (!Array.isArray(methods)) return true
  if (provider === 'plugin') return !methods.includes(importedMethod)
  if (provider !== 'simulated' && provider !== 'stripe') return true
  return methods.every(each => methodsOf[provider].includes(each) || manualMethods.includes(each))
}
