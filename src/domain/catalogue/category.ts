// A category of the catalogue.
import { Map as ImmutableMap } from 'immutable'
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, LongText, Payload, ShortText } from '../kernel/types.ts'
import { type Image, imageFields } from './image.ts'

const details = { categoryId: Id, name: ShortText, description: LongText, active: Type.Boolean() }

// Names and payloads are the storage format: they are versioned, never renamed.
export const CategoryEvents = {
  CategoryCreated: Payload(details),
  CategoryChanged: Payload(details),
  CategoryImageSet: Payload({ categoryId: Id, ...imageFields }),
  CategoryImageRemoved: Payload({ categoryId: Id }),
  CategoryDeleted: Payload({ categoryId: Id }),
  /** A product is about to be in it: a claim, which the product may not have used. */
  CategoryUsed: Payload({ categoryId: Id, productId: Id }),
  /** Names that it has claimed and does not use are free: see claims.ts. */
  CategoryClaimsVoided: Payload({ categoryId: Id }),
}
export type CategoryEvent = EventOf<typeof CategoryEvents>

type Details = Static<typeof CategoryEvents.CategoryCreated>
type Known = Details &
  Voided & {
    image: Image | null
    /** The products that have claimed to be in it, each with the number of its last claim. */
    used: ImmutableMap<string, number>
    claims: number
  }
/** How often its unused claims were voided: what was claimed before is not its own any more. */
interface Voided {
  voided?: number
}
export type Category =
  | ({ status: 'none' } & Voided)
  | ({ status: 'listed' } & Known)
  | ({ status: 'deleted' } & Known)

export const category: Aggregate<Category, CategoryEvent> = {
  category: 'category',
  events: CategoryEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (event.type === 'CategoryCreated') {
      return {
        status: 'listed',
        ...event.data,
        image: null,
        used: ImmutableMap(),
        claims: 0,
      }
    }
    if (event.type === 'CategoryClaimsVoided') return { ...state, voided: voidedOf(state) + 1 }
    if (state.status === 'none') return state
    switch (event.type) {
      case 'CategoryChanged':
        return { ...state, ...event.data }
      case 'CategoryImageSet': {
        const { categoryId: _, ...image } = event.data
        return { ...state, image }
      }
      case 'CategoryImageRemoved':
        return { ...state, image: null }
      case 'CategoryDeleted':
        return { ...state, status: 'deleted' }
      case 'CategoryUsed': {
        const claims = state.claims + 1
        return { ...state, claims, used: state.used.set(event.data.productId, claims) }
      }
    }
  },
}

const notFound = () => reject('category/not-found', 'There is no such category.')

/** How often the unused claims of a category were voided. */
export function voidedOf(state: Category): number {
  return state.voided ?? 0
}

const lostName = () => reject('category/exists', 'Another category was given this name meanwhile.')

/** Frees the names that a category has claimed and does not use; see the same of a product. */
export function voidClaims(
  state: Category,
  categoryId: string,
  uses: (state: Category) => boolean,
): Decision<CategoryEvent> {
  if (uses(state)) return []
  return [{ type: 'CategoryClaimsVoided', data: { categoryId } }]
}

/** Claims a category for a product: deleting it has to check the product then. */
export function use(
  state: Category,
  categoryId: string,
  productId: string,
): Decision<CategoryEvent> {
  if (state.status !== 'listed') {
    return reject('category/not-found', 'There is no such category.', { categoryId })
  }
  return [{ type: 'CategoryUsed', data: { categoryId, productId } }]
}

/** Creates a category, once. */
export function create(state: Category, input: Details): Decision<CategoryEvent> {
  if (state.status !== 'none') return []
  if (voidedOf(state) > 0) return lostName()
  return [{ type: 'CategoryCreated', data: input }]
}

export interface CategoryChange {
  categoryId: string
  name?: string | undefined
  description?: string | undefined
  active?: boolean | undefined
}

/** Changes what differs, as one event. */
export function change(
  state: Category,
  input: CategoryChange,
  voided = voidedOf(state),
): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
  if (voidedOf(state) !== voided) return lostName()
  const next = {
    categoryId: input.categoryId,
    name: input.name ?? state.name,
    description: input.description ?? state.description,
    active: input.active ?? state.active,
  }
  const same =
    next.name === state.name &&
    next.description === state.description &&
    next.active === state.active
  return same ? [] : [{ type: 'CategoryChanged', data: next }]
}

/** Sets the image of a category, replacing the one before. */
export function setImage(
  state: Category,
  { categoryId, ...image }: { categoryId: string } & Image,
): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
  if (state.image?.imageId === image.imageId) return []
  return [{ type: 'CategoryImageSet', data: { categoryId, ...image } }]
}

/** Removes the image of a category, if it has one. */
export function removeImage(state: Category, categoryId: string): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
  return state.image === null ? [] : [{ type: 'CategoryImageRemoved', data: { categoryId } }]
}

/** Claims on a category: the number of the last claim, by product. */
export type Uses = ReadonlyMap<string, number>

/** The claims on a category that are not among these. */
export function usesBeyond(state: Category, known: Uses): [productId: string, claim: number][] {
  if (state.status === 'none') return []
  return [...state.used].filter(([productId, claim]) => known.get(productId) !== claim)
}

/**
 * Deletes a category, unless there are `products` in it, or a product has claimed it
 * whose claim is not known to be `unused`. May be repeated.
 */
export function remove(
  state: Category,
  categoryId: string,
  { products, unused = new Map() }: { products: number; unused?: Uses },
): Decision<CategoryEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'deleted') return []
  const inUse = products > 0 ? products : usesBeyond(state, unused).length
  if (inUse > 0) {
    return reject('category/in-use', 'There are products in this category.', { products: inUse })
  }
  return [{ type: 'CategoryDeleted', data: { categoryId } }]
}
