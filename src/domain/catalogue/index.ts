// What the catalogue context adds to the domain: its aggregates, by the name of their repository.
import { category } from './category.ts'
import { categoryName } from './categoryName.ts'
import { product } from './product.ts'
import { skuClaim } from './skuClaim.ts'

export const catalogueAggregates = {
  categories: category,
  categoryNames: categoryName,
  products: product,
  skuClaims: skuClaim,
}
