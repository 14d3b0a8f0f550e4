// What may happen to a product: it is listed once, changed by what differs, and taken out for good.
import { describe, expect, it } from 'vitest'
import {
  change,
  create,
  type ProductEvent,
  product,
  remove,
} from '../../src/domain/catalogue/product.ts'
import { categoryId, gbp, productId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenProduct = given(product)
const lantern = {
  productId,
  sku: 'LANTERN',
  name: 'Lantern',
  description: 'White metal, holds a tea light.',
  price: gbp(425),
  categoryId: null,
  featured: false,
  active: true,
}
const created: ProductEvent = { type: 'ProductCreated', data: lantern }
const deleted: ProductEvent = { type: 'ProductDeleted', data: { productId } }
const details = {
  productId,
  name: lantern.name,
  description: lantern.description,
  categoryId: lantern.categoryId,
  active: true,
}

describe('creating a product', () => {
  it('lists it', () =>
    givenProduct()
      .when(state => create(state, lantern))
      .then([created]))

  it('adds nothing when it is listed already', () =>
    givenProduct(created)
      .when(state => create(state, { ...lantern, name: 'Another lantern' }))
      .thenNothing())

  it('does not bring a deleted product back', () =>
    givenProduct(created, deleted)
      .when(state => create(state, lantern))
      .thenNothing())
})

describe('changing a product', () => {
  const changed = (input: Omit<Parameters<typeof change>[1], 'productId'>) =>
    givenProduct(created).when(state => change(state, { productId, ...input }))

  it('records the whole of its details when one differs', () =>
    changed({ name: 'Big lantern' }).then([
      { type: 'ProductDetailsChanged', data: { ...details, name: 'Big lantern' } },
    ]))

  it('records a price with the one before it, for the price history', () =>
    changed({ price: gbp(399) }).then([
      { type: 'PriceChanged', data: { productId, price: gbp(399), previous: gbp(425) } },
    ]))

  it('takes the same amount in another currency for another price', () => {
    const price = { amount: 425, currency: 'EUR' }
    changed({ price }).then([
      { type: 'PriceChanged', data: { productId, price, previous: gbp(425) } },
    ])
  })

  it('records each kind of change as an event of its own', () =>
    changed({ active: false, price: gbp(1), featured: true, categoryId }).then([
      { type: 'ProductDetailsChanged', data: { ...details, categoryId, active: false } },
      { type: 'PriceChanged', data: { productId, price: gbp(1), previous: gbp(425) } },
      { type: 'ProductFeatured', data: { productId } },
    ]))

  it('takes a product off its shelf with a null, and leaves it there without one', () => {
    const shelved = givenProduct({ type: 'ProductCreated', data: { ...lantern, categoryId } })
    shelved
      .when(state => change(state, { productId, categoryId: null }))
      .then([{ type: 'ProductDetailsChanged', data: details }])
    shelved.when(state => change(state, { productId, name: 'Lantern' })).thenNothing()
  })

  it('ends the featuring of a featured product', () =>
    givenProduct(created, { type: 'ProductFeatured', data: { productId } })
      .when(state => change(state, { productId, featured: false }))
      .then([{ type: 'ProductUnfeatured', data: { productId } }]))

  it('may empty the description', () =>
    changed({ description: '' }).then([
      { type: 'ProductDetailsChanged', data: { ...details, description: '' } },
    ]))

  it('records nothing when nothing differs', () =>
    changed({ name: 'Lantern', price: gbp(425), featured: false, active: true }).thenNothing())

  it('is refused for a product that never was', () =>
    givenProduct()
      .when(state => change(state, { productId, name: 'Ghost' }))
      .thenRejected('product/not-found'))

  it('is refused for a product that is deleted', () =>
    givenProduct(created, deleted)
      .when(state => change(state, { productId, price: gbp(1) }))
      .thenRejected('product/not-found'))
})

describe('deleting a product', () => {
  it('takes it out of the shop and keeps what it was', () => {
    givenProduct(created)
      .when(state => remove(state, productId))
      .then([deleted])
    const { state } = givenProduct(created, deleted)
    expect(state).toEqual({ status: 'deleted', ...lantern, images: [] })
  })

  it('is refused for a product that never was', () =>
    givenProduct()
      .when(state => remove(state, productId))
      .thenRejected('product/not-found'))

  it('happens once', () =>
    givenProduct(created, deleted)
      .when(state => remove(state, productId))
      .thenNothing())
})
