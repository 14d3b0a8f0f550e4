// Carts of people who have not signed in: whoever has the token has the cart.

import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { mergeCart } from '../../commands/cart/mergeCart.ts'
import type { Accepted } from '../../commands/core/command.ts'
import { newId } from '../../commands/core/ids.ts'
import type { Role } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import { cartIdOf, form, header } from './cartToken.ts'
import type { ApiContext } from './context.ts'
import { HttpProblem } from './problems.ts'
import { retryOf } from './requests.ts'

/** The header of routes on which guests have a cart, as the OpenAPI document has it. */
export const cartToken = {
  // A customer's own cart counts, whatever is sent: so the form is checked for guests alone.
  [header]: Type.Optional(
    Type.String({
      maxLength: 200,
      format: 'line',
      description: 'The cart of a guest: what X-Cart-Token said when the first item was put in',
    }),
  ),
}

/** In the OpenAPI document: with a Bearer token, or without one. */
export const forGuests: Record<string, string[]>[] = [{ bearer: [] }, {}]
export const guestSchema = { security: forGuests, headers: Type.Object(cartToken) }

export interface GuestCart {
  cartId: string
  /** Of a cart that is not there yet: its owner has to be told when it is. */
  newToken?: string
}

/**
 * The cart of a request without an account, a new one where it has no token; undefined for
 * customers, who have their own. Throws a 400 problem for what is no token, 404 for one that we
 * never gave, and 410 once the cart has gone into a customer's.
 */
export async function guestCart(
  context: ApiContext,
  request: FastifyRequest,
): Promise<GuestCart | undefined> {
  if (request.actor.role !== 'anonymous') return undefined
  const token = request.headers[header]
  if (token === undefined) {
    // Who tries again has not seen the token of the first try: it has to be the same one.
    const newToken = retryOf(context, request, 'cart') ?? randomBytes(32).toString('base64url')
    request.writer = cartIdOf(newToken)
    return { cartId: request.writer, newToken }
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

/** Tells the owner of a cart that has just been made its token, in a header and for the body. */
export function handOut(reply: FastifyReply, guest: GuestCart | undefined, { revision }: Accepted) {
  if (guest?.newToken === undefined || revision < 0) return {}
  reply.header(header, guest.newToken).header('cache-control', 'private, no-store')
  return { cartToken: guest.newToken }
}

/**
 * Brings the cart along with which somebody has just signed in, and tells from where in the log
 * it has done so. Nobody is kept out because of a cart: what fails is logged and tried again the
 * next time they sign in.
 */
export async function bringCart(
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
