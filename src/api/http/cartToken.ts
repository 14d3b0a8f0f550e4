// The token of a guest's cart: whoever sends it has the cart.
import type { FastifyRequest } from 'fastify'
import { idOf } from '../../commands/core/ids.ts'

export const header = 'x-cart-token'
export const form = /^[A-Za-z0-9_-]{43}$/

/** The log has this in the place of the token, which cannot be told from it. */
export const cartIdOf = (token: string) => idOf('guest-cart', token)

/** The cart that the token of a request stands for, whether there is one or not. */
export function tokenCartId({ headers }: FastifyRequest): string | undefined {
  const token = headers[header]
  return typeof token === 'string' && form.test(token) ? cartIdOf(token) : undefined
}
