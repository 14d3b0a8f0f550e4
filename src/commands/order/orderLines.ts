// The lines of an order to be placed: from the cart or the request, at today's prices.
import { type CartLine, cart, linesOf } from '../../domain/cart/cart.ts'
import type { Product } from '../../domain/catalogue/product.ts'
import { compare, times } from '../../domain/kernel/money.ts'
import { refuseMixed } from '../../domain/kernel/oneCurrency.ts'
import { type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { demand, type OrderLine } from '../../domain/order/order.ts'
import type { Stock } from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { refuseClosed } from '../core/openAccount.ts'
import { availableStock } from './availableStock.ts'
import { refuseUncountable } from './unpaidLimits.ts'

/** What a request says of the lines: without `items`, they are those of the cart. */
interface LinesInput {
  items?: readonly { productId: string; quantity: number }[]
  acceptPrices?: boolean
}

/** What is to be ordered, at today's prices, or why it cannot be. */
export async function loadLines(
  app: App,
  input: LinesInput,
  { customerId, envelope }: { customerId: string; envelope: Envelope },
): Promise<OrderLine[] | Rejection> {
  // Most likely the cart holds what is cached: then everything is loaded in one round trip.
  const guess = input.items ?? linesOf(app.carts.cached(customerId) ?? cart.initial)
  const [closed, loaded, guessed] = await Promise.all([
    refuseClosed(app, envelope),
    app.carts.load(customerId),
    loadGoods(app, guess),
  ])
  if (closed !== undefined) return closed
  const inCart = linesOf(loaded.state)
  const items = input.items ?? inCart
  if (items.length === 0) return reject('cart/empty', 'The cart is empty.')
  const isRight = items.every(({ productId }) => guessed.has(productId))
  const goods = isRight ? guessed : await loadGoods(app, items)
  const lines: OrderLine[] = []
  const missing: string[] = []
  for (const { productId, quantity } of items) {
    const state = goods.get(productId)?.product
    if (state?.status !== 'listed' || !state.active) missing.push(productId)
    else {
      const { sku, name, price } = state
      const total = times(price, quantity)
      lines.push({ productId, sku, name, quantity, unitPrice: price, total })
    }
  }
  if (missing.length > 0) {
    return reject('product/not-found', 'Some of these products are no longer sold.', {
      productIds: missing,
    })
  }
  const increases = input.items === undefined ? priceIncreases(inCart, lines) : []
  if (increases.length > 0 && input.acceptPrices !== true) {
    return reject(
      'cart/price-changed',
      'Prices have increased. Send acceptPrices to accept them.',
      { changes: increases },
    )
  }
  const totals = lines.map(line => line.total)
  return (
    refuseMixed(totals, app.currency) ??
    refuseUncountable(totals) ??
    (await refuseShort(app, lines, envelope, goods)) ??
    lines
  )
}

interface Goods {
  product: Product
  stock: Stock
}

/** Products and their stock, loaded in one round trip. */
async function loadGoods(
  app: App,
  items: readonly { productId: string }[],
): Promise<ReadonlyMap<string, Goods>> {
  const found = items.map(async ({ productId }): Promise<[string, Goods]> => {
    const [product, stock] = await Promise.all([
      app.products.load(productId),
      app.stock.load(productId),
    ])
    return [productId, { product: product.state, stock: stock.state }]
  })
  return new Map(await Promise.all(found))
}

/** Lower prices apply as they are; higher ones have to be accepted. */
function priceIncreases(inCart: readonly CartLine[], lines: readonly OrderLine[]) {
  return lines.flatMap(({ productId, unitPrice }) => {
    const seen = inCart.find(line => line.productId === productId)?.unitPrice
    if (seen === undefined) return []
    // A price in another currency is another price, and cannot be compared.
    const isSame = seen.currency === unitPrice.currency
    if (isSame && compare(seen, unitPrice) >= 0) return []
    return [{ productId, before: seen, now: unitPrice }]
  })
}

/** Refuses what is out of stock at once, without an order that has to be rejected. */
export async function refuseShort(
  app: App,
  lines: OrderLine[],
  envelope: Envelope,
  goods?: ReadonlyMap<string, Goods>,
): Promise<Rejection | undefined> {
  const short = await Promise.all(
    [...demand({ lines })].map(async ([productId, wanted]) => {
      const free = await availableStock(
        app,
        { productId, quantity: wanted },
        envelope,
        goods?.get(productId)?.stock,
      )
      return free < wanted ? [{ productId, wanted, available: free }] : []
    }),
  )
  return short.flat().length > 0 ? outOfStock(short.flat()) : undefined
}

/** The refusal of products of which there are not enough pieces. */
export function outOfStock(short: { productId: string; wanted: number; available: number }[]) {
  return reject('order/out-of-stock', 'There are not enough pieces left.', { short })
}
