// Errors as problem+json (RFC 9457): every refusal has a status, a title and a stable type.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isUnreadable, type Unreadable } from '../../commands/core/brokenStream.ts'
import type { Rejection, RejectionCode } from '../../domain/kernel/rejection.ts'
import { categoryOf, idIn } from '../../domain/kernel/streamNames.ts'
import { codesOf, isTransient } from '../../kit/transient.ts'
import { PoisonEvent, UnknownEvent } from '../../ports/codec.ts'
import { ForeignLog } from '../../ports/eventStore.ts'
import { faultsOfRequest } from './validation.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** The code of a problem, undefined for other responses. */
    problem: ProblemCode | undefined
  }
}

interface Problem {
  status: number
  title: string
}

/** Rejections of the business as HTTP problems. */
const refusals = {
  'account/disabled': { status: 403, title: 'Account disabled' },
  'account/confirmation-expired': { status: 400, title: 'Confirmation link expired' },
  'account/email-confirmed': { status: 409, title: 'Nothing to confirm' },
  'account/email-taken': { status: 409, title: 'E-mail address taken' },
  'account/invalid': { status: 400, title: 'Invalid account details' },
  'account/invalid-credentials': { status: 401, title: 'Wrong name or password' },
  'account/invalid-token': { status: 401, title: 'Invalid token' },
  'account/reset-expired': { status: 400, title: 'Reset link expired' },
  'account/username-taken': { status: 409, title: 'Username taken' },
  'account/weak-password': { status: 400, title: 'Weak password' },
  'account/wrong-password': { status: 403, title: 'Wrong password' },
  'cart/changed': { status: 409, title: 'Cart has changed' },
  'cart/closed': { status: 410, title: 'Cart closed' },
  'cart/empty': { status: 409, title: 'Cart is empty' },
  'cart/item-not-found': { status: 404, title: 'Not in the cart' },
  'cart/not-found': { status: 404, title: 'Cart not found' },
  'cart/price-changed': { status: 409, title: 'Price changed' },
  'cart/quantity-limit': { status: 409, title: 'Too many pieces' },
  'category/exists': { status: 409, title: 'Category exists' },
  'category/in-use': { status: 409, title: 'Category in use' },
  'category/not-found': { status: 404, title: 'Category not found' },
  'command/forbidden': { status: 403, title: 'Forbidden' },
  'command/invalid': { status: 400, title: 'Invalid command' },
  'command/key-reused': { status: 422, title: 'Idempotency key reused' },
  'command/stale': { status: 412, title: 'Changed since' },
  'customer/not-found': { status: 404, title: 'Customer not found' },
  'customer/open-orders': { status: 409, title: 'Orders are open' },
  'customer/own-rights': { status: 409, title: 'Your own rights' },
  'mail/not-found': { status: 404, title: 'Mail not found' },
  'mail/sent': { status: 409, title: 'Mail sent already' },
  'order/disputed': { status: 409, title: 'Payment is disputed' },
  'order/expired': { status: 409, title: 'Order expired' },
  'import/illegal-status': { status: 409, title: 'Illegal import status' },
  'import/not-found': { status: 404, title: 'Import not found' },
  'order/illegal-transition': { status: 409, title: 'Illegal order status' },
  'order/manual-payment': { status: 409, title: 'Payment is recorded by the staff' },
  'order/mixed-currencies': { status: 409, title: 'More than one currency' },
  'order/not-finished': { status: 409, title: 'Order not finished' },
  'order/not-found': { status: 404, title: 'Order not found' },
  'order/number-taken': { status: 409, title: 'Order number taken' },
  'order/out-of-stock': { status: 409, title: 'Out of stock' },
  'order/payment-declined': { status: 409, title: 'Payment declined' },
  'order/payment-in-progress': { status: 409, title: 'Payment in progress' },
  'order/payment-method': { status: 400, title: 'Payment method not offered' },
  'order/provider-invalid': { status: 502, title: 'Provider answered something invalid' },
  'order/provider-unavailable': { status: 503, title: 'Provider did not answer' },
  'order/reason-required': { status: 400, title: 'Reason required' },
  'order/refund-automatic': { status: 409, title: 'Refund is made by the provider' },
  'order/refund-declined': { status: 409, title: 'Refund declined' },
  'order/refund-not-found': { status: 404, title: 'Refund not found' },
  'order/refund-exceeds-capture': { status: 409, title: 'Refund exceeds capture' },
  'order/too-many-unpaid': { status: 409, title: 'Too many unpaid orders' },
  'payment/finding-not-found': { status: 404, title: 'Finding not found' },
  'payment/mismatch': { status: 409, title: 'Does not fit the payment' },
  'payment/unknown': { status: 404, title: 'Payment not found' },
  'product/image-limit': { status: 409, title: 'Too many images' },
  'product/image-not-found': { status: 404, title: 'Image not found' },
  'product/not-found': { status: 404, title: 'Product not found' },
  'product/sku-taken': { status: 409, title: 'SKU taken' },
  'product/wrong-currency': { status: 400, title: 'Wrong currency' },
  'projection/earlier-parked': { status: 409, title: 'An earlier event is parked' },
  'projection/not-found': { status: 404, title: 'Projection not found' },
  'projection/not-rebuildable': { status: 409, title: 'Not to be rebuilt' },
  'projection/not-parked': { status: 404, title: 'Event not parked' },
  'projection/still-parked': { status: 409, title: 'Still cannot be applied' },
  'stock/below-reserved': { status: 409, title: 'Stock is reserved' },
  'stock/insufficient': { status: 409, title: 'Not enough stock' },
  'webhook/limit': { status: 409, title: 'Too many webhooks' },
  'webhook/not-found': { status: 404, title: 'Webhook not found' },
  'webhook/replaying': { status: 409, title: 'Replay under way' },
} as const satisfies Record<RejectionCode, Problem>

/** Problems of the HTTP layer itself. */
const edge = {
  'request/invalid': { status: 400, title: 'Invalid request' },
  'request/unauthenticated': { status: 401, title: 'Not signed in' },
  'request/not-found': { status: 404, title: 'Not found' },
  'request/method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request/too-large': { status: 413, title: 'Request too large' },
  'request/headers-too-large': { status: 431, title: 'Headers too large' },
  'request/timeout': { status: 408, title: 'Request timeout' },
  'request/unsupported': { status: 415, title: 'Unsupported content type' },
  'request/key-required': { status: 400, title: 'Idempotency key required' },
  'request/precondition-required': { status: 428, title: 'Precondition required' },
  'request/too-many': { status: 429, title: 'Too many requests' },
  'request/projection-behind': { status: 503, title: 'Projection behind' },
  'log/not-ours': { status: 503, title: 'Not the log of this shop' },
  'stream/broken': { status: 409, title: 'Events are missing or unreadable' },
  'log/newer-release': { status: 409, title: 'Written by a newer release' },
  'request/unavailable': { status: 503, title: 'Try again' },
  'request/failed': { status: 500, title: 'Internal error' },
} as const satisfies Record<string, Problem>

export type ProblemCode = RejectionCode | keyof typeof edge
export const problemTypes: Readonly<Record<string, Problem>> = { ...refusals, ...edge }

/** Thrown by handlers for problems of the HTTP layer. */
export class HttpProblem extends Error {
  readonly code: ProblemCode
  readonly extra: Readonly<Record<string, unknown>>

  constructor(code: ProblemCode, detail: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail)
    this.name = 'HttpProblem'
    this.code = code
    this.extra = extra
  }
}

const defaultRetryAfterSeconds = 1

/** Responds with a problem. */
export function sendProblem(
  reply: FastifyReply,
  code: ProblemCode,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
) {
  return reply.send(makeProblem(reply, code, { detail, extra }))
}

/** Turns a reply into a problem and returns its body. */
export function makeProblem(
  reply: FastifyReply,
  code: ProblemCode,
  { detail, extra }: { detail: string; extra: Readonly<Record<string, unknown>> },
): string {
  const problem = problemTypes[code] ?? edge['request/failed']
  reply.problem = code
  if (problem.status === 503 || problem.status === 429) {
    reply.header('retry-after', String(extra.retryAfterSeconds ?? defaultRetryAfterSeconds))
  }
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  // `status` is that of the response, so the one of an order has another name.
  const { status: currentStatus, ...rest } = extra
  const helpful = currentStatus === undefined ? rest : { ...rest, currentStatus }
  reply.status(problem.status).type('application/problem+json; charset=utf-8')
  return JSON.stringify({
    type: `/problems/${code}`,
    title: problem.title,
    status: problem.status,
    detail,
    requestId: reply.request.id,
    ...helpful,
  })
}

/** Responds with a rejection of the business. */
export function sendRejection(reply: FastifyReply, { rejected, detail, extra }: Rejection) {
  return sendProblem(reply, rejected, detail, extra)
}

/** A stream that cannot be folded, because events are missing or unreadable. */
function sendBroken(request: FastifyRequest, reply: FastifyReply, { stream }: Unreadable) {
  const about = aboutStream(request, stream)
  const [name = '', id] = Object.entries(about)[0] ?? []
  const whose = id === undefined ? 'this' : `the ${name.replace('Id', '')} ${id}`
  const detail =
    `Events of ${whose} are missing in the event store or cannot be read, so nothing can be told ` +
    'or decided about it: the operators of the shop have to look.'
  return sendProblem(reply, 'stream/broken', detail, { retryable: false, ...about })
}

/**
 * The resource of a stream, if the caller may know it: products are public, and commands only
 * touch those that were named or ordered; the id of an order is only shown if it was sent.
 */
function aboutStream(request: FastifyRequest, stream: string): { [key: string]: string } {
  const [category, id] = [categoryOf(stream), idIn(stream)]
  if (category === 'stock' || category === 'product') return { productId: id }
  const sent = JSON.stringify([request.params, request.body])
  return category === 'order' && sent.includes(id) ? { orderId: id } : {}
}

const partNames = {
  params: 'path parameters are',
  querystring: 'query parameters are',
  headers: 'request headers are',
  body: 'request body is',
}

/** Says which part of a request is invalid, with an entry for each fault. */
function invalidParts(errors: ReturnType<typeof faultsOfRequest>) {
  const [part, ...others] = new Set(errors.map(each => each.in))
  const what = part === undefined || others.length > 0 ? 'request is' : partNames[part]
  return [`The ${what} invalid.`, { errors }] as const
}

/** Maps everything that a handler throws to a response. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof HttpProblem) {
    return sendProblem(reply, error.code, error.message, error.extra)
  }
  if (error instanceof UnknownEvent) {
    request.log.warn({ event: 'newer-release', error: error.message }, 'written by a newer release')
    return sendProblem(
      reply,
      'log/newer-release',
      'This was written by a newer release of the shop, which this process cannot read.',
    )
  }
  if (error instanceof ForeignLog) {
    const detail = 'The event log does not belong to this shop. Nothing is written to it.'
    return sendProblem(reply, 'log/not-ours', detail)
  }
  if (error instanceof PoisonEvent) {
    request.log.error({ event: 'unreadable-event', error: error.message }, 'an event is unreadable')
  }
  if (isUnreadable(error)) {
    return sendBroken(request, reply, error)
  }
  if (isTransient(error)) {
    if (codesOf(error).includes('USER_REFUSED')) {
      request.log.error({ event: 'user-refused' }, `${error.message}: see docs/eventstoredb.md`)
    }
    return sendProblem(
      reply,
      'request/unavailable',
      'The service is temporarily unavailable. Try again.',
    )
  }
  if (error.validation !== undefined) {
    return sendProblem(reply, 'request/invalid', ...invalidParts(faultsOfRequest(request)))
  }
  const status = error.statusCode ?? 500
  if (status === 413)
    return sendProblem(reply, 'request/too-large', 'The request body is too large.')
  if (status === 415)
    return sendProblem(reply, 'request/unsupported', 'The content type must be application/json.')
  if (status >= 400 && status < 500) return sendProblem(reply, 'request/invalid', error.message)
  request.log.error({ err: error }, 'request failed')
  return sendProblem(reply, 'request/failed', 'An internal error occurred.')
}
