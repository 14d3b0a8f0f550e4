// What may happen to a category: it is added once, changed by what differs, deleted when empty.
import { describe, it } from 'vitest'
import {
  type CategoryEvent,
  category,
  change,
  create,
  remove,
  removeImage,
  setImage,
} from '../../src/domain/catalogue/category.ts'
import { categoryId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenCategory = given(category)
const lights = { categoryId, name: 'Lights', description: 'Everything that glows.', active: true }
const created: CategoryEvent = { type: 'CategoryCreated', data: lights }

describe('creating a category', () => {
  it('adds it', () =>
    givenCategory()
      .when(state => create(state, lights))
      .then([created]))

  it('adds nothing when it is there already', () =>
    givenCategory(created)
      .when(state => create(state, { ...lights, name: 'Lamps' }))
      .thenNothing())
})

describe('changing a category', () => {
  it('records the whole of it when something differs', () =>
    givenCategory(created)
      .when(state => change(state, { categoryId, name: 'Lamps', active: false }))
      .then([{ type: 'CategoryChanged', data: { ...lights, name: 'Lamps', active: false } }]))

  it('builds on the change before it', () =>
    givenCategory(created, { type: 'CategoryChanged', data: { ...lights, name: 'Lamps' } })
      .when(state => change(state, { categoryId, description: '' }))
      .then([{ type: 'CategoryChanged', data: { ...lights, name: 'Lamps', description: '' } }]))

  it('is refused for a category that is not there', () =>
    givenCategory()
      .when(state => change(state, { categoryId, name: 'Lamps' }))
      .thenRejected('category/not-found'))

  it('records nothing when nothing differs', () =>
    givenCategory(created)
      .when(state => change(state, { ...lights }))
      .thenNothing())
})

const deleted: CategoryEvent = { type: 'CategoryDeleted', data: { categoryId } }

describe('deleting a category', () => {
  it('is allowed when no product belongs to it', () =>
    givenCategory(created)
      .when(state => remove(state, categoryId, { products: 0 }))
      .then([deleted]))

  it('is refused while products belong to it, and for one that never was', () => {
    givenCategory(created)
      .when(state => remove(state, categoryId, { products: 2 }))
      .thenRejected('category/in-use')
    givenCategory()
      .when(state => remove(state, categoryId, { products: 0 }))
      .thenRejected('category/not-found')
  })

  it('happens once and ends all changes', () => {
    givenCategory(created, deleted)
      .when(state => remove(state, categoryId, { products: 0 }))
      .thenNothing()
    givenCategory(created, deleted)
      .when(state => change(state, { categoryId, name: 'Lamps' }))
      .thenRejected('category/not-found')
  })
})

describe('the image of a category', () => {
  const image = {
    imageId: sampleId(61),
    hash: 'ab'.repeat(32),
    type: 'image/png',
    width: 8,
    height: 4,
    alt: 'A lamp',
  } as const
  const set: CategoryEvent = { type: 'CategoryImageSet', data: { categoryId, ...image } }

  it('is set and taken away', () => {
    givenCategory(created)
      .when(state => setImage(state, { categoryId, ...image }))
      .then([set])
    givenCategory(created, set)
      .when(state => removeImage(state, categoryId))
      .then([{ type: 'CategoryImageRemoved', data: { categoryId } }])
  })

  it('is not taken away where there is none, nor set where there is no category', () => {
    givenCategory(created)
      .when(state => removeImage(state, categoryId))
      .thenNothing()
    givenCategory()
      .when(state => setImage(state, { categoryId, ...image }))
      .thenRejected('category/not-found')
  })
})
