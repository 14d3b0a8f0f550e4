// A product: what is sold, under which name and price. Its stock is an aggregate of its own.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { isSameMoney } from '../kernel/money.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, LongText, Money, Payload, ShortText, Sku } from '../kernel/types.ts'
import { type Image, imageFields, imagesMax } from './image.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const ProductEvents = {
  ProductCreated: Payload({
    productId: Id,
    sku: Sku,
    name: ShortText,
    description: LongText,
    price: Money,
    categoryId: Type.Union([Id, Type.Null()]),
    featured: Type.Boolean(),
    active: Type.Boolean(),
  }),
  ProductDetailsChanged: Payload({
    productId: Id,
    name: ShortText,
    description: LongText,
    categoryId: Type.Union([Id, Type.Null()]),
    active: Type.Boolean(),
  }),
  PriceChanged: Payload({ productId: Id, price: Money, previous: Money }),
  ProductFeatured: Payload({ productId: Id }),
  ProductUnfeatured: Payload({ productId: Id }),
  ProductImageAdded: Payload({ productId: Id, ...imageFields }),
  ProductImageRemoved: Payload({ productId: Id, imageId: Id }),
  ProductDeleted: Payload({ productId: Id }),
  ProductRestored: Payload({ productId: Id }),
  /** What the product had claimed in other streams and does not use is free: see claims.ts. */
  ProductClaimsVoided: Payload({ productId: Id }),
}
export type ProductEvent = EventOf<typeof ProductEvents>

type Details = Static<typeof ProductEvents.ProductCreated>
/** Its images in the order in which they are shown. */
type Known = Details & { images: readonly Image[] } & Voided
/** How often its unused claims were voided: what was claimed before is not its own any more. */
interface Voided {
  voided?: number
}
export type Product =
  | ({ status: 'none' } & Voided)
  | ({ status: 'listed' } & Known)
  | ({ status: 'deleted' } & Known)

export const product: Aggregate<Product, ProductEvent> = {
  category: 'product',
  events: ProductEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (event.type === 'ProductCreated') return { status: 'listed', ...event.data, images: [] }
    if (event.type === 'ProductClaimsVoided') return { ...state, voided: voidedOf(state) + 1 }
    if (state.status === 'none') return state
    switch (event.type) {
      case 'ProductDetailsChanged':
        return { ...state, ...event.data }
      case 'PriceChanged':
        return { ...state, price: event.data.price }
      case 'ProductFeatured':
        return { ...state, featured: true }
      case 'ProductUnfeatured':
        return { ...state, featured: false }
      case 'ProductImageAdded': {
        const { productId: _, ...image } = event.data
        return { ...state, images: [...state.images, image] }
      }
      case 'ProductImageRemoved': {
        const { imageId } = event.data
        return { ...state, images: state.images.filter(image => image.imageId !== imageId) }
      }
      case 'ProductDeleted':
        return { ...state, status: 'deleted' }
      case 'ProductRestored':
        return { ...state, status: 'listed' }
    }
  },
}

const notFound = () => reject('product/not-found', 'There is no such product.')

/** How often the unused claims of a product were voided. */
export function voidedOf(state: Product): number {
  return state.voided ?? 0
}

const lostClaims = () =>
  reject('product/sku-taken', 'Another product has been given this SKU or category meanwhile.')

/** Creates a product, once. */
export function create(state: Product, input: Details): Decision<ProductEvent> {
  if (state.status !== 'none') return []
  if (voidedOf(state) > 0) return lostClaims()
  return [{ type: 'ProductCreated', data: input }]
}

export interface ProductChange {
  productId: string
  name?: string | undefined
  description?: string | undefined
  price?: Money | undefined
  categoryId?: string | null | undefined
  featured?: boolean | undefined
  active?: boolean | undefined
}

/**
 * Frees what a product has claimed and does not use, unless it `uses` it: a creation, change or
 * restoration that is under way is refused from then on, so that another may have it.
 */
export function voidClaims(
  state: Product,
  productId: string,
  uses: (state: Product) => boolean,
): Decision<ProductEvent> {
  if (uses(state)) return []
  return [{ type: 'ProductClaimsVoided', data: { productId } }]
}

/** Restores a deleted product, with the claims that it has made since `voided` was read. */
export function restore(
  state: Product,
  productId: string,
  { voided, categoryId }: { voided: number; categoryId: string | null },
): Decision<ProductEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'listed') return []
  if (voidedOf(state) !== voided) return lostClaims()
  const { name, description, active } = state
  const details: ProductEvent[] =
    categoryId === state.categoryId
      ? []
      : [
          {
            type: 'ProductDetailsChanged',
            data: { productId, name, description, categoryId, active },
          },
        ]
  return [{ type: 'ProductRestored', data: { productId } }, ...details]
}

/** Changes what differs; each kind of change is an event of its own. */
export function change(
  state: Product,
  input: ProductChange,
  voided = voidedOf(state),
): Decision<ProductEvent> {
  if (state.status !== 'listed') return notFound()
  if (voidedOf(state) !== voided) return lostClaims()
  const { productId } = input
  const details = {
    name: input.name ?? state.name,
    description: input.description ?? state.description,
    categoryId: input.categoryId === undefined ? state.categoryId : input.categoryId,
    active: input.active ?? state.active,
  }
  const events: ProductEvent[] = []
  if (
    details.name !== state.name ||
    details.description !== state.description ||
    details.categoryId !== state.categoryId ||
    details.active !== state.active
  ) {
    events.push({ type: 'ProductDetailsChanged', data: { productId, ...details } })
  }
  const { price } = input
  if (price !== undefined && !isSameMoney(price, state.price)) {
    events.push({ type: 'PriceChanged', data: { productId, price, previous: state.price } })
  }
  if (input.featured !== undefined && input.featured !== state.featured) {
    const type = input.featured ? 'ProductFeatured' : 'ProductUnfeatured'
    events.push({ type, data: { productId } })
  }
  return events
}

/** Adds an image to a product, once. */
export function addImage(
  state: Product,
  { productId, ...image }: { productId: string } & Image,
): Decision<ProductEvent> {
  if (state.status !== 'listed') return notFound()
  if (state.images.some(other => other.imageId === image.imageId)) return []
  if (state.images.length >= imagesMax) {
    return reject('product/image-limit', `A product has at most ${imagesMax} images.`, {
      limit: imagesMax,
    })
  }
  return [{ type: 'ProductImageAdded', data: { productId, ...image } }]
}

/** Removes an image of a product. */
export function removeImage(
  state: Product,
  productId: string,
  imageId: string,
): Decision<ProductEvent> {
  if (state.status !== 'listed') return notFound()
  if (state.images.some(image => image.imageId === imageId)) {
    return [{ type: 'ProductImageRemoved', data: { productId, imageId } }]
  }
  return reject('product/image-not-found', 'This product has no such image.')
}

/** Deletes a product; its history stays. */
export function remove(state: Product, productId: string): Decision<ProductEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'deleted') return []
  return [{ type: 'ProductDeleted', data: { productId } }]
}
