// Commands on carts. A customer's has the customer's id, a guest's follows from a secret token.
import Type from 'typebox'
import * as cart from '../../domain/cart/cart.ts'
import type { Product } from '../../domain/catalogue/product.ts'
import { type Decision, fold } from '../../domain/kernel/aggregate.ts'
import { times } from '../../domain/kernel/money.ts'
import { refuseMixed } from '../../domain/kernel/oneCurrency.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { type Actor, Id, Quantity, strict } from '../../domain/kernel/types.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { actorId, command } from '../core/command.ts'
import { availableStock } from '../order/availableStock.ts'
import { piecesMax, refuseTooManyPieces, refuseUncountable } from '../order/unpaidLimits.ts'

/** The id of the cart of the actor. */
const ownCart = (_: unknown, { actor, guestCartId }: Envelope) =>
  actorId(actor) ?? guestCartId ?? ''

/** Only the owner of the token knows the id of a guest's cart. */
function mayTouch(actor: Actor, state: cart.Cart) {
  return state.status !== 'open' || state.customerId === (actorId(actor) ?? null)
}

function isSold(state: Product): state is Extract<Product, { status: 'listed' }> {
  return state.status === 'listed' && state.active
}

const notSold = (productId: string, detail: string) =>
  reject('product/not-found', detail, { productId })

/** What a product is offered at, and how many pieces of it there are for a cart. */
async function offer(
  app: App,
  { productId, quantity }: { productId: string; quantity: number },
  envelope: Envelope,
) {
  // One round trip.
  const [inCart, product, stock] = await Promise.all([
    app.carts.load(ownCart(undefined, envelope)),
    app.products.load(productId),
    app.stock.load(productId),
  ])
  const { state } = product
  if (!isSold(state)) return notSold(productId, 'There is no such product.')
  const mixed = refuseMixed([state.price], app.currency)
  if (mixed !== undefined) return mixed
  const held = cart.linesOf(inCart.state).find(line => line.productId === productId)?.quantity ?? 0
  const request = { productId, quantity: held + quantity }
  return { product: state, available: await availableStock(app, request, envelope, stock.state) }
}

/** Refuses what comes to too much, in money or in pieces of what was added. */
function countable(state: cart.Cart, decision: Decision<cart.CartEvent>, most: number) {
  if (isRejection(decision)) return decision
  const before = new Map(cart.linesOf(state).map(line => [line.productId, line.quantity]))
  const lines = cart.linesOf(fold(cart.cart, decision, state))
  const increased = lines.filter(line => line.quantity > (before.get(line.productId) ?? 0))
  return (
    refuseUncountable(lines.map(line => times(line.unitPrice, line.quantity))) ??
    refuseTooManyPieces(
      most,
      increased.map(line => [line.productId, line.quantity]),
    ) ??
    decision
  )
}

type Offer = Exclude<Awaited<ReturnType<typeof offer>>, Rejection>

export const addToCart = command({
  name: 'AddToCart',
  roles: 'anyone',
  input: Type.Object({ productId: Id, quantity: Quantity }, strict),
  repository: app => app.carts,
  id: ownCart,
  allowed: mayTouch,
  notFound: 'product/not-found',
  load: async (app, input, envelope) => {
    const found = await offer(app, input, envelope)
    const cartId = ownCart(undefined, envelope)
    const key = { cartId, customerId: actorId(envelope.actor) ?? null }
    const most = piecesMax(app, envelope.actor)
    return 'rejected' in found ? found : { ...found, key, most }
  },
  decide(state, { productId, quantity }, context: Offer & { key: cart.CartKey; most: number }) {
    const { key, product } = context
    const { sku, name, price } = product
    const line = { productId, sku, name, unitPrice: price, quantity }
    return countable(state, cart.addItem(state, key, line, context.available), context.most)
  },
})

export const changeCartItem = command({
  name: 'ChangeCartItem',
  roles: 'anyone',
  input: Type.Object({ productId: Id, quantity: Quantity }, strict),
  repository: app => app.carts,
  id: ownCart,
  allowed: mayTouch,
  notFound: 'cart/item-not-found',
  load: async (app, { productId, quantity }, envelope) => ({
    available: await availableStock(app, { productId, quantity }, envelope),
    isSold: isSold((await app.products.load(productId)).state),
    cartId: ownCart(undefined, envelope),
    most: piecesMax(app, envelope.actor),
  }),
  decide(state, input, { cartId, available: free, isSold, most }) {
    const line = cart.linesOf(state).find(({ productId }) => productId === input.productId)
    if (!isSold && line !== undefined && input.quantity > line.quantity) {
      return notSold(input.productId, 'This product is not sold any more: no pieces can be added.')
    }
    return countable(state, cart.changeQuantity(state, { cartId, ...input }, free), most)
  },
})

const cartId = async (_: App, __: unknown, envelope: Envelope) => ownCart(undefined, envelope)

export const removeFromCart = command({
  name: 'RemoveFromCart',
  roles: 'anyone',
  input: Type.Object({ productId: Id }, strict),
  repository: app => app.carts,
  id: ownCart,
  allowed: mayTouch,
  notFound: 'cart/item-not-found',
  load: cartId,
  decide: (state, input, id) => cart.removeItem(state, id, input.productId),
})

export const clearCart = command({
  name: 'ClearCart',
  roles: 'anyone',
  input: Type.Object({}, strict),
  repository: app => app.carts,
  id: ownCart,
  allowed: mayTouch,
  notFound: 'cart/item-not-found',
  load: cartId,
  decide: (state, _, id) => cart.clear(state, id),
})
