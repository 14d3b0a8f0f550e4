// Products and their stock over HTTP.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import {
  changeProduct,
  createProduct,
  deleteProduct,
  restoreProduct,
} from '../../../commands/catalogue/products.ts'
import { digestOf } from '../../../commands/core/ids.ts'
import { adjustStock, countStock } from '../../../commands/stock/stock.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import {
  findProduct,
  lowStock,
  stockLedger,
} from '../../../projections/catalogue/catalogueQueries.ts'
import { findPrices } from '../../../projections/catalogue/priceHistory.ts'
import { isStaff } from '../../http/actor.ts'
import { findCached, sendSerialized, serialize } from '../../http/cachedResponses.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { linkParts, pageBody, partOf } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute, readRoute } from '../../http/readRoute.ts'
import { PageQuery, pageOf } from '../../http/schemas.ts'
import {
  ListedProduct,
  PriceHistory,
  Product,
  ProductDetail,
  ScarceProduct,
  StockLedger,
} from './catalogueSchemas.ts'
import { StaffProductQuery, sendListing } from './listings.ts'

const tag = 'Catalogue'
const params = Type.Object({ productId: Id }, strict)
const LowStockQuery = Type.Object(
  {
    ...PageQuery,
    threshold: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  strict,
)

/** Publishes products. */
export function productRoutes(server: FastifyInstance, context: ApiContext): void {
  listings(server, context)
  details(server, context)
  prices(server, context)
  changes(server, context)
  stockChanges(server, context)
}

function listings(server: FastifyInstance, context: ApiContext): void {
  const shared = { tag, from: ['catalogue'] }
  readRoute(server, context, {
    ...shared,
    url: '/products',
    access: 'public',
    cached: true,
    summary: 'List products by filter; staff can include inactive and deleted ones',
    operationId: 'listProducts',
    description:
      'Prices are in minor units. `search` tolerates misspellings and sorts by relevance ' +
      'unless `ordering` is given.',
    query: StaffProductQuery,
    answer: pageOf(ListedProduct),
    handle: (request, reply) => sendListing(context, request, reply, request.query),
  })
  readRoute(server, context, {
    ...shared,
    url: '/products/featured',
    access: 'public',
    cached: true,
    summary: 'List featured products',
    operationId: 'listFeatured',
    query: Type.Object(PageQuery, strict),
    answer: pageOf(Product),
    handle: (request, reply) =>
      sendListing(context, request, reply, { ...request.query, featured: true }),
  })
  listRoute(server, context, {
    ...shared,
    url: '/products/low-stock',
    access: ['admin', 'warehouse'],
    summary: 'List products with low stock',
    operationId: 'listLowStock',
    query: LowStockQuery,
    item: ScarceProduct,
    sort: 'number',
    read: ({ query: { threshold } }, part) => lowStock(context.db, part, threshold),
  })
}

function details(server: FastifyInstance, context: ApiContext): void {
  const { db } = context
  readRoute(server, context, {
    tag,
    from: ['catalogue'],
    url: '/products/:productId',
    access: 'public',
    cached: true,
    summary: 'Get a product; staff also see its stock',
    operationId: 'getProduct',
    params,
    answer: ProductDetail,
    async handle(request, reply) {
      const { productId } = request.params
      const forStaff = isStaff(request.actor)
      const compute = async () => {
        const found = await findProduct(db, productId, forStaff)
        // What is shown also depends on other streams: pieces come and go, categories are renamed.
        return found && serialize(found.product, found.revision, digestOf(found.product))
      }
      // Staff see every piece that comes or goes: for them it is never the same for long.
      const wanted = { kind: 'product', key: productId, compute }
      const answer = await (forStaff ? compute() : findCached(context, request, wanted))
      if (answer === undefined) throw notFound()
      return sendSerialized(request, reply, answer)
    },
  })
  readRoute(server, context, {
    tag,
    from: ['catalogue', 'stock'],
    url: '/products/:productId/stock',
    access: ['admin', 'warehouse', 'support', 'auditor'],
    summary: 'Get the stock of a product and its movements',
    operationId: 'getStock',
    params,
    query: Type.Object(PageQuery, strict),
    answer: StockLedger,
    async handle(request, reply) {
      const { productId } = request.params
      const list = { of: { movements: productId }, kind: 'number' as const }
      const part = partOf(request.query, list)
      const found = await stockLedger(db, productId, part)
      if (found === undefined) throw notFound()
      const { data: movements, ...page } = pageBody(part, list, found.movements)
      linkParts(request, reply, part, page)
      return { ...found.stock, movements, ...page }
    },
  })
}

function prices(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    from: ['catalogue', 'priceHistory'],
    url: '/products/:productId/price-history',
    access: 'public',
    summary:
      'Get the price and the lowest of the 30 days before a reduction; for staff, all changes',
    operationId: 'getPriceHistory',
    params,
    answer: PriceHistory,
    async handle(request) {
      const { productId } = request.params
      const forStaff = isStaff(request.actor)
      const isShown = (await findProduct(context.db, productId, forStaff)) !== undefined
      const found = isShown ? await findPrices(context.db, productId) : undefined
      if (found === undefined) throw notFound()
      const { changes: all, ...shown } = found
      return forStaff ? { ...shown, changes: all } : shown
    },
  })
}

function notFound() {
  return new HttpProblem('product/not-found', 'The product does not exist.')
}

function changes(server: FastifyInstance, context: ApiContext): void {
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/products',
    command: createProduct,
    description: 'Without `sku` one is generated. `stock` is booked as opening stock.',
    summary: 'Create a product',
    status: 201,
    location: id => `/api/products/${id}`,
  })
  for (const method of ['PUT', 'PATCH'] as const) {
    commandRoute(server, context, {
      tag,
      method,
      url: '/products/:productId',
      command: changeProduct,
      description: 'Fields that are not sent remain unchanged.',
      changes: true,
      summary: 'Change the given fields of a product',
      requireMatch: true,
    })
  }
  commandRoute(server, context, {
    tag,
    method: 'DELETE',
    url: '/products/:productId',
    command: deleteProduct,
    description: 'It can be restored. Carts that contain it cannot be ordered until it is removed.',
    summary: 'Delete a product; its history remains',
    requireMatch: true,
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/products/:productId/restore',
    command: restoreProduct,
    summary: 'Restore a deleted product, unless its SKU is in use',
  })
}

function stockChanges(server: FastifyInstance, context: ApiContext): void {
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/products/:productId/stock-adjustments',
    command: adjustStock,
    description:
      'A negative `delta` books out, 0 is refused; less than what is reserved answers 409.',
    summary: 'Adjust the stock of a product',
    requireKey: true,
    status: 201,
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/products/:productId/stock-counts',
    command: countStock,
    description: 'Books the difference to what is on hand, including reserved pieces.',
    summary: 'Record a stock count',
    requireKey: true,
    status: 201,
  })
}
