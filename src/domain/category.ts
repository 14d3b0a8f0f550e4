// A category: a shelf of the catalogue.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from './aggregate.ts'
import { type Image, imageFields } from './image.ts'
import { reject } from './rejection.ts'
import { Id, LongText, Payload, ShortText } from './types.ts'

const details = { categoryId: Id, name: ShortText, description: LongText, active: Type.Boolean() }

// Names and payloads are the storage format: they are versioned, never renamed.
export const CategoryEvents = {
  CategoryCreated: Payload(details),
  CategoryChanged: Payload(details),
  CategoryImageSet: Payload({ categoryId: Id, ...imageFields }),
  CategoryImageRemoved: Payload({ categoryId: Id }),
  CategoryDeleted: Payload({ categoryId: Id }),
}
export type CategoryEvent = EventOf<typeof CategoryEvents>

type Details = Static<typeof CategoryEvents.CategoryCreated>
type Known = Details & { image: Image | null }
export type Category =
  | { status: 'none' }
  | ({ status: 'listed' } & Known)
  | ({ status: 'deleted' } & Known)

export const category: Aggregate<Category, CategoryEvent> = {
  category: 'category',
  events: CategoryEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (event.type === 'CategoryCreated') return { status: 'listed', ...event.data, image: null }
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
    }
  },
}

const notFound = () => reject('category/not-found', 'There is no such category.')

/** Adds a category; asking again for one that is there adds nothing. */
export function create(state: Category, input: Details): Decision<CategoryEvent> {
  if (state.status !== 'none') return []
  return [{ type: 'CategoryCreated', data: input }]
}

export interface CategoryChange {
  categoryId: string
  name?: string | undefined
  description?: string | undefined
  active?: boolean | undefined
}

/** Changes what differs, as one event. */
export function change(state: Category, input: CategoryChange): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
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

/** Gives a category its image, in the place of the one before; the same again adds nothing. */
export function setImage(
  state: Category,
  { categoryId, ...image }: { categoryId: string } & Image,
): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
  if (state.image?.imageId === image.imageId) return []
  return [{ type: 'CategoryImageSet', data: { categoryId, ...image } }]
}

/** Takes the image from a category; nothing happens when it has none. */
export function removeImage(state: Category, categoryId: string): Decision<CategoryEvent> {
  if (state.status !== 'listed') return notFound()
  return state.image === null ? [] : [{ type: 'CategoryImageRemoved', data: { categoryId } }]
}

/** Takes a category out of the shop, unless there are products in it; deleting again is done. */
export function remove(
  state: Category,
  categoryId: string,
  products: number,
): Decision<CategoryEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'deleted') return []
  if (products > 0) {
    return reject('category/in-use', 'There are products in this category.', { products })
  }
  return [{ type: 'CategoryDeleted', data: { categoryId } }]
}
