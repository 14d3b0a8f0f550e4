// A name belongs to one category: its stream holds the claim, so no two categories can have it.
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, Payload, ShortText } from '../kernel/types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const CategoryNameEvents = {
  CategoryNameClaimed: Payload({ name: ShortText, categoryId: Id }),
  CategoryNameReleased: Payload({ name: ShortText, categoryId: Id }),
}

export type CategoryNameEvent = EventOf<typeof CategoryNameEvents>
/** `claims` counts them: a claim that was made again is another one. */
export type CategoryName = { categoryId: string | null; claims: number }

export const categoryName: Aggregate<CategoryName, CategoryNameEvent> = {
  category: 'categoryname',
  events: CategoryNameEvents,
  initial: { categoryId: null, claims: 0 },
  evolve(state, event) {
    switch (event.type) {
      case 'CategoryNameClaimed':
        return { categoryId: event.data.categoryId, claims: state.claims + 1 }
      case 'CategoryNameReleased':
        return { ...state, categoryId: null }
    }
  },
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

/** The same as a claim of its own even where the category has it already. */
export function claimNameAnew(state: CategoryName, input: Claim): Decision<CategoryNameEvent> {
  if (state.categoryId !== input.categoryId) return claimName(state, input)
  return [{ type: 'CategoryNameClaimed', data: input }]
}

/** Gives a name to a category instead of one that does not use it, if the claim is as `seen`. */
export function takeNameOver(
  state: CategoryName,
  input: Claim,
  seen: CategoryName,
): Decision<CategoryNameEvent> {
  const isSame = state.categoryId === seen.categoryId && state.claims === seen.claims
  if (!isSame || state.categoryId === null) return claimName(state, input)
  return [
    { type: 'CategoryNameReleased', data: { ...input, categoryId: state.categoryId } },
    { type: 'CategoryNameClaimed', data: input },
  ]
}

/** Releases a name; nothing happens when it is another category's. */
export function releaseName(state: CategoryName, input: Claim): Decision<CategoryNameEvent> {
  if (state.categoryId !== input.categoryId) return []
  return [{ type: 'CategoryNameReleased', data: input }]
}
