// Carts of guests: a token identifies the cart.

import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { mergeCart } from '../../commands/cart/mergeCart.ts'
import type { Accepted } from '../../commands/core/command.ts'
import { idOf, newId } from '../../commands/core/ids.ts'
import type { Role } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import type { ApiContext } from './context.ts'
import { HttpProblem } from './problems.ts'
import { retryOf } from './requests.ts'

const header = 'x-cart-token'
const form = /^[A-Za-z0-9_-]{43}$/

/** The id in the log is a digest, from which the token cannot be derived. */
const cartIdOf = (token: string) => idOf('guest-cart', token)

/** The id of the cart of a request's token, whether the cart exists or not. */
export function tokenCartId({ headers }: FastifyRequest): string | undefined {
  const token = headers[header]
  return typeof token === 'string' && form.test(token) ? cartIdOf(token) : undefined
}

/** The X-Cart-Token header in schemas. */
export const cartToken = {
  // For customers the header is ignored, so its form is checked for guests only.
  [header]: Type.Optional(
    Type.String({
      maxLength: 200,
      format: 'line',
      description: 'The cart of a guest: what X-Cart-Token said when the first item was put in',
    }),
  ),
}

/** In the OpenAPI document: a Bearer token is optional. */
export const forGuests: Record<string, string[]>[] = [{ bearer: [] }, {}]
export const guestSchema = { security: forGuests, headers: Type.Object(cartToken) }

export interface GuestCart {
  cartId: string
  /** The token of a new cart, which its owner has to receive once it exists. */
  token?: string
}

/**
 * The cart of a guest's request, a new one if it has no token; undefined for
 * customers. Throws a 400 problem for a malformed token, 404 for an unknown
 * one, and 410 once the cart was merged into that of a customer.
 */
export async function guestCart(
  context: ApiContext,
  request: FastifyRequest,
): Promise<GuestCart | undefined> {
  if (request.actor.role !== 'anonymous') return undefined
  const token = request.headers[header]
  if (token === undefined) {
    // A retry has not seen the token of the first attempt, so it has to get the same one.
    const newToken = retryOf(context, request, 'cart') ?? randomBytes(32).toString('base64url')
    request.writer = cartIdOf(newToken)
    return { cartId: request.writer, token: newToken }
  }
  if (typeof token !== 'string' || !form.test(token)) {
    throw new HttpProblem(
      'request/invalid',
      'The X-Cart-Token header must be a token from an earlier response.',
    )
  }
  const cartId = cartIdOf(token)
  const { state } = await context.app.carts.load(cartId)
  if (state.status === 'none') throw new HttpProblem('cart/not-found', 'The cart does not exist.')
  if (state.status === 'closed') {
    throw new HttpProblem('cart/closed', 'The cart was merged into the cart of a customer.')
  }
  return { cartId }
}

/** Adds the token of a new cart to the headers, and returns it for the body. */
export function newCartToken(
  reply: FastifyReply,
  guest: GuestCart | undefined,
  { revision }: Accepted,
) {
  if (guest?.token === undefined || revision < 0) return {}
  reply.header(header, guest.token).header('cache-control', 'private, no-store')
  return { cartToken: guest.token }
}

/**
 * Merges the cart of a guest who has signed in, and returns the position of the
 * merge. A failure does not prevent signing in: it is logged, and the merge is tried again the
 * next time.
 */
export async function mergeGuestCart(
  { app }: ApiContext,
  request: FastifyRequest,
  user: { id: string; roles: readonly Role[] },
): Promise<Position | undefined> {
  const token = request.headers[header]
  if (typeof token !== 'string' || !form.test(token)) return undefined
  const commandId = newId()
  const actor = { role: 'customer' as const, id: user.id, roles: user.roles }
  const envelope = {
    commandId,
    correlationId: commandId,
    causationId: commandId,
    actor,
    at: app.clock.now(),
  }
  const from = cartIdOf(token)
  try {
    return await mergeCart(app, { from, customerId: user.id }, envelope)
  } catch (error) {
    request.log.warn({ event: 'cart-not-merged', err: error, from }, 'cart was not merged')
    return undefined
  }
}
