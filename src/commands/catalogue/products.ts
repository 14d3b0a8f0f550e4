// Commands on products.
import Type from 'typebox'
import * as product from '../../domain/catalogue/product.ts'
import { normalizeSku } from '../../domain/catalogue/skuClaim.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { multiline, Name, SkuText } from '../../domain/kernel/text.ts'
import { Id, Money, strict } from '../../domain/kernel/types.ts'
import * as stock from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { isUnreadable, unlessUnreadable } from '../core/brokenStream.ts'
import { accepted, type Command, command } from '../core/command.ts'
import { step } from '../core/envelope.ts'
import { derivedId } from '../core/ids.ts'
import { claimCategory, claimSku } from './claims.ts'

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
  roles: ['admin'],
  input: CreateProduct,
  async run(app, input, envelope) {
    const productId = derivedId(envelope.commandId, 'product')
    const sku = normalizeSku(input.sku ?? `P-${productId.replaceAll('-', '').slice(-12)}`)
    const refusal =
      refuseCurrency(app, input.price) ??
      (await claimCategory(app, { categoryId: input.categoryId, productId }, envelope)) ??
      (await claimUnlessListed(app, { sku, productId }, envelope))
    if (refusal !== undefined) return refusal
    const created = await app.products.decide(productId, envelope, state =>
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
    const stocking = app.stock.decide(productId, step(envelope, 'stock'), state =>
      stock.adjust(state, { productId, delta, reason: 'opening' }),
    )
    const stocked = await unlessUnreadable(stocking)
    // A repeat: of what cannot be read any more the first event was the opening stock.
    if (isUnreadable(stocked)) return accepted(productId, created)
    if (isRejection(stocked)) return stocked
    return accepted(productId, { ...created, position: stocked.position })
  },
}

/** A repeat has its SKU; another request under the same key must not take one. */
async function claimUnlessListed(
  app: App,
  naming: { sku: string; productId: string },
  envelope: Envelope,
) {
  const { state } = await app.products.load(naming.productId)
  return state.status === 'none' ? claimSku(app, naming, envelope) : undefined
}

/** Refuses prices in a currency that is not the one of the shop. */
function refuseCurrency({ currency }: App, price: Money | undefined): Rejection | undefined {
  if (price === undefined || price.currency === currency) return undefined
  return reject('product/wrong-currency', `Prices of this shop are in ${currency}.`, {
    errors: [{ pointer: '/price/currency', detail: `Expected ${currency}.` }],
  })
}

interface Change {
  productId: string
  price?: Money
  categoryId?: string | null
}

/** Makes the claims that a change needs; `voided` says whether it still has them in the end. */
async function prepareChange(app: App, { price, ...input }: Change, envelope: Envelope) {
  const { state } = await app.products.load(input.productId)
  const voided = product.voidedOf(state)
  // One that is there only now, or again, is in a category that this change has not seen.
  if (state.status === 'none') return reject('product/not-found', 'There is no such product.')
  const isMove = state.status === 'deleted' || state.categoryId !== input.categoryId
  const refusal =
    refuseCurrency(app, price) ??
    (isMove ? await claimCategory(app, { categoryId: undefined, ...input }, envelope) : undefined)
  return refusal ?? { voided }
}

export const changeProduct = command({
  name: 'ChangeProduct',
  roles: ['admin'],
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
  repository: app => app.products,
  id: input => input.productId,
  load: prepareChange,
  decide: (state, input, { voided }) => product.change(state, input, voided),
})

export const deleteProduct = command({
  name: 'DeleteProduct',
  roles: ['admin'],
  input: Type.Object({ productId: Id }, strict),
  repository: app => app.products,
  id: input => input.productId,
  decide: (state, input) => product.remove(state, input.productId),
})

const RestoreProduct = Type.Object({ productId: Id }, strict)

/** Puts a deleted product back: under its SKU, and in its category where that is still there. */
export const restoreProduct: Command<typeof RestoreProduct> = {
  name: 'RestoreProduct',
  roles: ['admin'],
  input: RestoreProduct,
  async run(app, { productId }, envelope) {
    const { state } = await app.products.load(productId)
    const voided = product.voidedOf(state)
    const refused = state.status === 'deleted' ? await claimSku(app, state, envelope) : undefined
    if (refused !== undefined) return refused
    const categoryId = state.status === 'deleted' ? state.categoryId : null
    const unlisted = await claimCategory(app, { categoryId, productId }, envelope)
    const context = { voided, categoryId: unlisted === undefined ? categoryId : null }
    const restored = await app.products.decide(productId, envelope, now =>
      product.restore(now, productId, context),
    )
    return isRejection(restored) ? restored : accepted(productId, restored)
  },
}
