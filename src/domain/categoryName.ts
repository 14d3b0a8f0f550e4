// A name belongs to one category: its stream holds the claim, so no two categories can have it.
import type { Aggregate, Decision, EventOf } from './aggregate.ts'
import { reject } from './rejection.ts'
import { Id, Payload, ShortText } from './types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const CategoryNameEvents = {
  CategoryNameClaimed: Payload({ name: ShortText, categoryId: Id }),
  CategoryNameReleased: Payload({ name: ShortText, categoryId: Id }),
}
export type CategoryNameEvent = EventOf<typeof CategoryNameEvents>
export type CategoryName = { categoryId: string | null }

export const categoryName: Aggregate<CategoryName, CategoryNameEvent> = {
  category: 'categoryname',
  events: CategoryNameEvents,
  initial: { categoryId: null },
  evolve(_, event) {
    switch (event.type) {
      case 'CategoryNameClaimed':
        return { categoryId: event.data.categoryId }
      case 'CategoryNameReleased':
        return { categoryId: null }
    }
  },
}

/** Names that differ only in case or spaces are the same name. */
export function normalizeName(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()
}

interface Claim {
  name: string
  categoryId: string
}

/** Claims a name for a category; the category that has it may ask again. */
export function claimName(state: CategoryName, input: Claim): Decision<CategoryNameEvent> {
  if (state.categoryId === input.categoryId) return []
  if (state.categoryId !== null) {
    return reject('category/exists', `There is a category ${input.name} already.`, {
      categoryId: state.categoryId,
    })
  }
  return [{ type: 'CategoryNameClaimed', data: input }]
}

/** Gives a name back; nothing happens when it is another category's. */
export function releaseName(state: CategoryName, input: Claim): Decision<CategoryNameEvent> {
  if (state.categoryId !== input.categoryId) return []
  return [{ type: 'CategoryNameReleased', data: input }]
}
