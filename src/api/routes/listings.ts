// Pages of products by filter, from the cache where they are in it.
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { line } from '../../domain/text.ts'
import { Id, strict } from '../../domain/types.ts'
import {
  listProducts,
  orderings,
  sortKindOf,
  usualOrdering,
} from '../../projections/productListing.ts'
import type { ApiContext } from '../context.ts'
import { partOf } from '../pages.ts'
import { readyPart, sendReadyPart } from '../ready.ts'
import { PageQuery } from '../schemas.ts'

const price = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })

/** What products can be filtered by; the price range has two spellings. */
export const ProductQuery = Type.Object(
  {
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
  },
  strict,
)

/** Sends a part of the products that shoppers see. */
export async function sendListing(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  query: Static<typeof ProductQuery>,
) {
  const filter = {
    category: query.category,
    minPrice: query.minPrice ?? query.priceMin,
    maxPrice: query.maxPrice ?? query.priceMax,
    inStock: query.inStock,
    featured: query.featured,
    search: query.search,
  }
  const ordering = query.ordering ?? usualOrdering(filter)
  const list = { of: { products: filter, ordering }, kind: sortKindOf(ordering) }
  const part = partOf(query, list)
  const on = { request, reply, part }
  return sendReadyPart(context, on, {
    kind: 'listing',
    key: JSON.stringify([list.of, part]),
    compute: async () =>
      readyPart(part, list, await listProducts(context.db, filter, part, ordering)),
  })
}
