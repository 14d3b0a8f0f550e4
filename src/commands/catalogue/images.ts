// Commands on the images of products and categories; the files are stored before they are named.
import Type from 'typebox'
import * as category from '../../domain/catalogue/category.ts'
import { imageFields } from '../../domain/catalogue/image.ts'
import * as product from '../../domain/catalogue/product.ts'
import { Id, strict } from '../../domain/kernel/types.ts'
import { command } from '../core/command.ts'

export const addProductImage = command({
  name: 'AddProductImage',
  roles: ['admin'],
  input: Type.Object({ productId: Id, ...imageFields }, strict),
  repository: app => app.products,
  id: input => input.productId,
  decide: (state, input) => product.addImage(state, input),
})

export const removeProductImage = command({
  name: 'RemoveProductImage',
  roles: ['admin'],
  input: Type.Object({ productId: Id, imageId: Id }, strict),
  repository: app => app.products,
  id: input => input.productId,
  decide: (state, input) => product.removeImage(state, input.productId, input.imageId),
})

export const setCategoryImage = command({
  name: 'SetCategoryImage',
  roles: ['admin'],
  input: Type.Object({ categoryId: Id, ...imageFields }, strict),
  repository: app => app.categories,
  id: input => input.categoryId,
  decide: (state, input) => category.setImage(state, input),
})

export const removeCategoryImage = command({
  name: 'RemoveCategoryImage',
  roles: ['admin'],
  input: Type.Object({ categoryId: Id }, strict),
  repository: app => app.categories,
  id: input => input.categoryId,
  decide: (state, input) => category.removeImage(state, input.categoryId),
})
