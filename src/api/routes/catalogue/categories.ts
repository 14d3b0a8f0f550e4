// Categories over HTTP.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import {
  changeCategory,
  createCategory,
  deleteCategory,
} from '../../../commands/catalogue/categories.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import {
  countProducts,
  findCategory,
  listCategories,
} from '../../../projections/catalogue/catalogueQueries.ts'
import { isStaff } from '../../http/actor.ts'
import {
  findCached,
  sendCachedPage,
  sendSerialized,
  serialize,
  serializePage,
} from '../../http/cachedResponses.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { partOf } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { awaitNow } from '../../http/readYourWrites.ts'
import { PageQuery, pageOf } from '../../http/schemas.ts'
import { Category, Product } from './catalogueSchemas.ts'
import { ProductQuery, sendListing } from './listings.ts'

const shared = {
  tag: 'Catalogue',
  from: ['catalogue'],
  access: 'public' as const,
  cached: true as const,
}

const PageParameters = Type.Object(PageQuery, strict)
const params = Type.Object({ categoryId: Id }, strict)

/** Publishes categories. */
export function categoryRoutes(server: FastifyInstance, context: ApiContext): void {
  reads(server, context)
  const { tag } = shared
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/categories',
    command: createCategory,
    summary: 'Create a category',
    status: 201,
    location: id => `/api/categories/${id}`,
  })
  for (const method of ['PUT', 'PATCH'] as const) {
    commandRoute(server, context, {
      tag,
      method,
      url: '/categories/:categoryId',
      command: changeCategory,
      description: 'Fields that are not sent remain unchanged.',
      changes: true,
      summary: 'Change the given fields of a category',
      requireMatch: true,
    })
  }
  commandRoute(server, context, {
    tag,
    method: 'DELETE',
    url: '/categories/:categoryId',
    command: deleteCategory(async categoryId => {
      await awaitNow(context, 'catalogue')
      return countProducts(context.db, categoryId)
    }),
    summary: 'Delete a category without products',
    requireMatch: true,
  })
}

function reads(server: FastifyInstance, context: ApiContext): void {
  const { db } = context
  readRoute(server, context, {
    ...shared,
    url: '/categories',
    summary: 'List categories by name; staff also see inactive ones',
    operationId: 'listCategories',
    query: PageParameters,
    answer: pageOf(Category),
    handle: (request, reply) => sendCategories(context, request, reply, request.query),
  })
  readRoute(server, context, {
    ...shared,
    url: '/categories/:categoryId',
    summary: 'Get a category',
    operationId: 'getCategory',
    params,
    answer: Category,
    async handle(request, reply) {
      const { categoryId } = request.params
      const found = await findCached(context, request, {
        kind: 'category',
        key: categoryId,
        async compute() {
          const read = await findCategory(db, categoryId)
          return read && serialize(read.category, read.revision)
        },
      })
      if (found === undefined) throw notFound()
      return sendSerialized(request, reply, found)
    },
  })
  readRoute(server, context, {
    ...shared,
    url: '/categories/:categoryId/products',
    summary: 'List the products of a category',
    operationId: 'listCategoryProducts',
    params,
    query: ProductQuery,
    answer: pageOf(Product),
    async handle(request, reply) {
      const { categoryId: category } = request.params
      if ((await findCategory(db, category)) === undefined) throw notFound()
      return sendListing(context, request, reply, { ...request.query, category })
    },
  })
}

async function sendCategories(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  query: Static<typeof PageParameters>,
) {
  const forStaff = isStaff(request.actor)
  const list = { of: { categories: forStaff ? 'all' : 'active' }, kind: 'text' as const }
  const part = partOf(query, list)
  const compute = async () =>
    serializePage(part, list, await listCategories(context.db, forStaff, part))
  const key = JSON.stringify([list.of, part])
  return sendCachedPage(context, { request, reply, part }, { kind: 'categories', key, compute })
}

function notFound() {
  return new HttpProblem('category/not-found', 'The category does not exist.')
}
