// What the catalogue context adds to the application: its repositories and commands.
import { category } from '../../domain/catalogue/category.ts'
import { categoryName } from '../../domain/catalogue/categoryName.ts'
import { product } from '../../domain/catalogue/product.ts'
import { skuClaim } from '../../domain/catalogue/skuClaim.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import { changeCategory, createCategory } from './categories.ts'
import {
  addProductImage,
  removeCategoryImage,
  removeProductImage,
  setCategoryImage,
} from './images.ts'
import { changeProduct, createProduct, deleteProduct, restoreProduct } from './products.ts'

export const catalogueRepositories = (parts: RepositoryParts) => ({
  categories: createRepository(category, parts),
  categoryNames: createRepository(categoryName, parts),
  products: createRepository(product, parts),
  skuClaims: createRepository(skuClaim, parts),
})

/** And `deleteCategory`, which counts products in a read model. */
export const catalogueCommands: Commands = [
  createProduct,
  changeProduct,
  deleteProduct,
  restoreProduct,
  addProductImage,
  removeProductImage,
  createCategory,
  changeCategory,
  setCategoryImage,
  removeCategoryImage,
]
