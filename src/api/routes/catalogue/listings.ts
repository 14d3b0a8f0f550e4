// Pages of products by filter, from the cache where they are in it.
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { line } from '../../../domain/kernel/text.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import {
  isForStaff,
  listProducts,
  orderings,
  sortKindOf,
  usualOrdering,
} from '../../../projections/catalogue/productListing.ts'
import { assertStaff } from '../../http/actor.ts'
import { sendCachedPage, serializePage } from '../../http/cachedResponses.ts'
import type { ApiContext } from '../../http/context.ts'
import { answerPage, partOf } from '../../http/paging.ts'
import { PageQuery } from '../../http/schemas.ts'

const price = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })

const filters = {
  ...PageQuery,
  category: Type.Optional(Id),
  minPrice: Type.Optional(price),
  maxPrice: Type.Optional(price),
  priceMin: Type.Optional(price),
  priceMax: Type.Optional(price),
  inStock: Type.Optional(Type.Boolean()),
  featured: Type.Optional(Type.Boolean()),
  search: Type.Optional(line(200, { minLength: 0 })),
  ordering: Type.Optional(Type.Enum([...orderings])),
}

const ofStaff = (description: string) => Type.Optional(Type.Boolean({ description }))

/** What products can be filtered by; the price range has two spellings. */
export const ProductQuery = Type.Object(filters, strict)
/** The same, and what the staff alone can ask for. */
export const StaffProductQuery = Type.Object(
  {
    ...filters,
    active: ofStaff('For the staff: products that are active, or those that are not'),
    deleted: ofStaff('For the staff: deleted products; false: all others, active or not'),
  },
  strict,
)

/**
 * Sends a part of the products that shoppers see, or for filters of the staff of those that the
 * staff sees: such an answer is neither taken from the cache nor kept in it.
 */
export async function sendListing(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  query: Static<typeof StaffProductQuery>,
) {
  const filter = {
    category: query.category,
    minPrice: query.minPrice ?? query.priceMin,
    maxPrice: query.maxPrice ?? query.priceMax,
    inStock: query.inStock,
    featured: query.featured,
    search: query.search,
    active: query.active,
    deleted: query.deleted,
  }
  const ordering = query.ordering ?? usualOrdering(filter)
  const list = { of: { products: filter, ordering }, kind: sortKindOf(ordering) }
  if (isForStaff(filter)) {
    assertStaff(request, 'The filters active and deleted are for the staff')
    const { url } = request
    return answerPage({ request: { url, query }, reply }, list, part =>
      listProducts(context.db, filter, part, ordering),
    )
  }
  const part = partOf(query, list)
  const on = { request, reply, part }
  return sendCachedPage(context, on, {
    kind: 'listing',
    key: JSON.stringify([list.of, part]),
    compute: async () =>
      serializePage(part, list, await listProducts(context.db, filter, part, ordering)),
  })
}
