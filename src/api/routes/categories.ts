// Categories over HTTP.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { changeCategory, createCategory, deleteCategory } from '../../commands/categories.ts'
import { Id } from '../../domain/types.ts'
import { countProducts, findCategory, listCategories } from '../../projections/catalogueQueries.ts'
import { isStaff } from '../actor.ts'
import { Categories, Category, Product } from '../catalogueSchemas.ts'
import { commandRoute } from '../commandRoute.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { readRoute } from '../readRoute.ts'
import { awaitNow, isUnchanged } from '../requests.ts'
import { pageOf } from '../schemas.ts'
import { ProductQuery, sendListing } from './listings.ts'

const shared = { tag: 'Catalogue', from: ['catalogue'], access: 'public' as const }
const params = Type.Object({ categoryId: Id }, { additionalProperties: false })

/** Publishes categories. */
export function categoryRoutes(app: FastifyInstance, context: ApiContext): void {
  reads(app, context)
  const { tag } = shared
  commandRoute(app, context, {
    tag,
    method: 'POST',
    url: '/categories',
    command: createCategory,
    summary: 'Add a category',
    status: 201,
    location: id => `/api/categories/${id}`,
  })
  for (const method of ['PUT', 'PATCH'] as const) {
    commandRoute(app, context, {
      tag,
      method,
      url: '/categories/:categoryId',
      command: changeCategory,
      summary: 'Change a category: the fields that are sent',
      requireMatch: true,
    })
  }
  commandRoute(app, context, {
    tag,
    method: 'DELETE',
    url: '/categories/:categoryId',
    command: deleteCategory(async categoryId => {
      await awaitNow(context, 'catalogue')
      return countProducts(context.db, categoryId)
    }),
    summary: 'Delete a category that no product belongs to',
    requireMatch: true,
  })
}

function reads(app: FastifyInstance, context: ApiContext): void {
  const { db } = context
  readRoute(app, context, {
    ...shared,
    url: '/categories',
    summary: 'Categories by name',
    operationId: 'listCategories',
    answer: Categories,
    handle: async request => ({ data: await listCategories(db, isStaff(request.actor)) }),
  })
  readRoute(app, context, {
    ...shared,
    url: '/categories/:categoryId',
    summary: 'One category',
    operationId: 'getCategory',
    params,
    answer: Category,
    async handle(request, reply) {
      const found = await findCategory(db, request.params.categoryId)
      if (found === undefined) throw notFound()
      const unchanged = isUnchanged(request, reply, found.revision)
      return unchanged ? reply.status(304).send() : found.category
    },
  })
  readRoute(app, context, {
    ...shared,
    url: '/categories/:categoryId/products',
    summary: 'The products of a category',
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

function notFound() {
  return new HttpProblem('category/not-found', 'There is no such category.')
}
