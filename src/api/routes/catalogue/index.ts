// The catalogue over HTTP: products, stock, prices, categories, images and imports.
import type { RouteGroup } from '../../http/route.ts'
import { Category, PriceHistory, Product, ProductDetail, StockLedger } from './catalogueSchemas.ts'
import { categoryRoutes } from './categories.ts'
import { imageRoutes } from './images.ts'
import { productImportRoutes } from './productImports.ts'
import { productRoutes } from './products.ts'

export const catalogue: RouteGroup = {
  api: [productRoutes, productImportRoutes, categoryRoutes, imageRoutes],
  schemas: { Category, PriceHistory, Product, ProductDetail, StockLedger },
}
