// Business refusals: values, not exceptions, with a code that never changes once it has landed.

export type RejectionCode =
  | 'account/confirmation-expired'
  | 'account/disabled'
  | 'account/email-confirmed'
  | 'account/email-taken'
  | 'account/invalid'
  | 'account/invalid-credentials'
  | 'account/invalid-token'
  | 'account/reset-expired'
  | 'account/username-taken'
  | 'account/weak-password'
  | 'account/wrong-password'
  | 'cart/changed'
  | 'cart/closed'
  | 'cart/empty'
  | 'cart/item-not-found'
  | 'cart/not-found'
  | 'cart/price-changed'
  | 'cart/quantity-limit'
  | 'category/exists'
  | 'category/in-use'
  | 'category/not-found'
  | 'command/forbidden'
  | 'command/invalid'
  | 'command/key-reused'
  | 'command/stale'
  | 'customer/not-found'
  | 'customer/open-orders'
  | 'customer/own-rights'
  | 'mail/not-found'
  | 'mail/sent'
  | 'order/disputed'
  | 'order/expired'
  | 'import/illegal-status'
  | 'import/not-found'
  | 'order/illegal-transition'
  | 'order/manual-payment'
  | 'order/mixed-currencies'
  | 'order/not-finished'
  | 'order/not-found'
  | 'order/number-taken'
  | 'order/out-of-stock'
  | 'order/payment-declined'
  | 'order/payment-in-progress'
  | 'order/payment-method'
  | 'order/provider-invalid'
  | 'order/provider-unavailable'
  | 'order/reason-required'
  | 'order/refund-automatic'
  | 'order/refund-declined'
  | 'order/refund-exceeds-capture'
  | 'order/refund-not-found'
  | 'order/too-many-unpaid'
  | 'payment/finding-not-found'
  | 'payment/mismatch'
  | 'payment/unknown'
  | 'projection/earlier-parked'
  | 'projection/not-found'
  | 'projection/not-parked'
  | 'projection/not-rebuildable'
  | 'projection/still-parked'
  | 'product/image-limit'
  | 'product/image-not-found'
  | 'product/not-found'
  | 'product/sku-taken'
  | 'product/wrong-currency'
  | 'stock/below-reserved'
  | 'stock/insufficient'
  | 'webhook/limit'
  | 'webhook/not-found'
  | 'webhook/replaying'

export interface Rejection {
  rejected: RejectionCode
  /** One sentence for the person who asked. */
  detail: string
  /** What helps them: `available`, `allowedTransitions`, `currentRevision`… */
  extra?: Readonly<Record<string, unknown>>
}

/** Refuses, with a sentence and what helps to do better. */
export function reject(
  rejected: RejectionCode,
  detail: string,
  extra?: Rejection['extra'],
): Rejection {
  return extra === undefined ? { rejected, detail } : { rejected, detail, extra }
}

/** Whether a decision or an outcome is a refusal. */
export function isRejection(value: unknown): value is Rejection {
  return typeof value === 'object' && value !== null && 'rejected' in value
}
