// Commands on products and stock.
import Type from 'typebox'
import * as product from '../domain/product.ts'
import { isRejection, reject } from '../domain/rejection.ts'
import { claim, normalizeSku } from '../domain/skuClaim.ts'
import * as stock from '../domain/stock.ts'
import { multiline, Name, SkuText } from '../domain/text.ts'
import { Id, Money, strict } from '../domain/types.ts'
import { accepted, type Command, command, step } from './command.ts'
import { derivedId } from './ids.ts'
import type { Shop } from './shop.ts'

const everyone = () => true
const nothing = async () => undefined

const CreateProduct = Type.Object(
  {
    name: Name,
    description: Type.Optional(multiline(10_000, { minLength: 0 })),
    sku: Type.Optional(SkuText),
    price: Money,
    categoryId: Type.Optional(Type.Union([Id, Type.Null()])),
    featured: Type.Optional(Type.Boolean()),
    active: Type.Optional(Type.Boolean()),
    stock: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000_000 })),
  },
  strict,
)

/** Lists a product: its SKU is claimed first, then it is created, then its first stock booked. */
export const createProduct: Command<typeof CreateProduct> = {
  name: 'CreateProduct',
  who: ['admin'],
  input: CreateProduct,
  async run(shop, input, envelope) {
    const refusal = await refuseDetails(shop, input)
    if (refusal) return refusal
    const productId = derivedId(envelope.commandId, 'product')
    const sku = normalizeSku(input.sku ?? `P-${productId.replaceAll('-', '').slice(-12)}`)
    const claimed = await shop.skuClaims.decide(
      encodeURIComponent(sku),
      step(envelope, 'sku'),
      state => claim(state, sku, productId),
    )
    if (isRejection(claimed)) return claimed
    const created = await shop.products.decide(productId, envelope, state =>
      product.create(state, {
        productId,
        sku,
        name: input.name,
        description: input.description ?? '',
        price: input.price,
        categoryId: input.categoryId ?? null,
        featured: input.featured ?? false,
        active: input.active ?? true,
      }),
    )
    if (isRejection(created)) return created
    if (input.stock === undefined || input.stock === 0) return accepted(productId, created)
    const delta = input.stock
    const stocked = await shop.stock.decide(productId, step(envelope, 'stock'), state =>
      stock.adjust(state, { productId, delta, reason: 'opening' }),
    )
    if (isRejection(stocked)) return stocked
    return accepted(productId, { ...created, position: stocked.position })
  },
}

interface Details {
  price?: Money
  categoryId?: string | null
}

async function refuseDetails(shop: Shop, { price, categoryId }: Details) {
  // Carts and orders sum up what is in them: one shop, one currency.
  if (price !== undefined && price.currency !== shop.currency) {
    return reject('product/wrong-currency', `Prices of this shop are in ${shop.currency}.`, {
      errors: [{ pointer: '/price/currency', detail: `Expected ${shop.currency}.` }],
    })
  }
  return missingCategory(shop, categoryId)
}

async function missingCategory(shop: Shop, categoryId: string | null | undefined) {
  if (categoryId === undefined || categoryId === null) return undefined
  const { state } = await shop.categories.load(categoryId)
  if (state.status === 'listed') return undefined
  return reject('category/not-found', 'There is no such category.', { categoryId })
}

export const changeProduct = command({
  name: 'ChangeProduct',
  who: ['admin'],
  input: Type.Object(
    {
      productId: Id,
      name: Type.Optional(Name),
      description: Type.Optional(multiline(10_000, { minLength: 0 })),
      price: Type.Optional(Money),
      categoryId: Type.Optional(Type.Union([Id, Type.Null()])),
      featured: Type.Optional(Type.Boolean()),
      active: Type.Optional(Type.Boolean()),
    },
    strict,
  ),
  repository: shop => shop.products,
  id: input => input.productId,
  allowed: everyone,
  notFound: 'product/not-found',
  gather: refuseDetails,
  decide: (state, input) => product.change(state, input),
})

export const deleteProduct = command({
  name: 'DeleteProduct',
  who: ['admin'],
  input: Type.Object({ productId: Id }, strict),
  repository: shop => shop.products,
  id: input => input.productId,
  allowed: everyone,
  notFound: 'product/not-found',
  gather: nothing,
  decide: (state, input) => product.remove(state, input.productId),
})

async function missingProduct(shop: Shop, { productId }: { productId: string }) {
  const { state } = await shop.products.load(productId)
  if (state.status !== 'none') return undefined
  return reject('product/not-found', 'There is no such product.')
}

export const countStock = command({
  name: 'CountStock',
  who: ['admin', 'warehouse'],
  input: Type.Object(
    {
      productId: Id,
      counted: Type.Integer({ minimum: 0, maximum: 10_000_000 }),
      note: Type.Optional(multiline(500)),
    },
    strict,
  ),
  repository: shop => shop.stock,
  id: input => input.productId,
  allowed: everyone,
  notFound: 'product/not-found',
  gather: missingProduct,
  decide: (state, input) => stock.countPieces(state, input),
})

export const adjustStock = command({
  name: 'AdjustStock',
  who: ['admin', 'warehouse'],
  input: Type.Object(
    {
      productId: Id,
      delta: Type.Integer({ minimum: -10_000_000, maximum: 10_000_000 }),
      reason: stock.AdjustmentReason,
      note: Type.Optional(multiline(500)),
    },
    strict,
  ),
  repository: shop => shop.stock,
  id: input => input.productId,
  allowed: everyone,
  notFound: 'product/not-found',
  gather: missingProduct,
  decide: (state, input) => stock.adjust(state, input),
})
