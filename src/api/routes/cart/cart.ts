// The cart over HTTP.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  addToCart,
  changeCartItem,
  clearCart,
  removeFromCart,
} from '../../../commands/cart/cart.ts'
import { findCart } from '../../../projections/order/orderQueries.ts'
import { isUnchanged } from '../../http/caching.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { guestCart } from '../../http/guestCart.ts'
import { readRoute } from '../../http/readRoute.ts'
import { Cart, CartTotal } from './cartSchemas.ts'

const tag = 'Cart'

/** Publishes the cart of whoever is signed in, or has the token of a guest's cart. */
export function cartRoutes(server: FastifyInstance, context: ApiContext): void {
  reads(server, context)
  changes(server, context)
}

function reads(server: FastifyInstance, context: ApiContext): void {
  // Prices and availability of what is in it are the catalogue's.
  const from = ['carts', 'catalogue']
  const shared = { tag, access: 'public' as const, from, guests: true as const }
  const read = async (request: FastifyRequest, reply: FastifyReply) => {
    // The address is the same for everybody.
    reply.header('cache-control', 'private, no-cache')
    const { actor } = request
    const guest = await guestCart(context, request)
    const cartId = guest?.cartId ?? (actor.role === 'anonymous' ? '' : actor.id)
    return findCart(context.db, cartId, context.config.currency)
  }
  readRoute(server, context, {
    ...shared,
    url: '/cart',
    summary: 'Get the cart, with price changes since items were added',
    operationId: 'getCart',
    description: 'Contains the price at which each item was added, and the current price.',
    answer: Cart,
    async handle(request, reply) {
      const { revision, cart } = await read(request, reply)
      // Prices and availability change without the cart: only its emptiness can be cached.
      const unchanged = revision < 0 && isUnchanged(request, reply, 0)
      return unchanged ? reply.status(304).send() : cart
    },
  })
  readRoute(server, context, {
    ...shared,
    url: '/cart/total',
    summary: 'Get the total of the cart',
    operationId: 'getCartTotal',
    answer: CartTotal,
    async handle(request, reply) {
      const { cart } = await read(request, reply)
      return { total: cart.total, itemCount: cart.itemCount }
    },
  })
}

function changes(server: FastifyInstance, context: ApiContext): void {
  const shared = { tag, guests: true as const }
  commandRoute(server, context, {
    ...shared,
    method: 'POST',
    url: '/cart/items',
    command: addToCart,
    description:
      'Without a token the first item creates a guest’s cart, which X-Cart-Token of the ' +
      'response opens.',
    summary: 'Add a product to the cart; quantities add up',
    status: 201,
  })
  for (const method of ['PUT', 'PATCH'] as const) {
    commandRoute(server, context, {
      ...shared,
      method,
      url: '/cart/items/:productId',
      command: changeCartItem,
      description: 'Answers 404 for a product that is not in the cart.',
      summary: 'Set the quantity of a product in the cart',
    })
  }
  commandRoute(server, context, {
    ...shared,
    method: 'DELETE',
    url: '/cart/items/:productId',
    command: removeFromCart,
    description: 'Removing a product that is not in the cart is not an error.',
    summary: 'Remove a product from the cart',
  })
  commandRoute(server, context, {
    ...shared,
    method: 'DELETE',
    url: '/cart',
    command: clearCart,
    summary: 'Empty the cart',
  })
}
