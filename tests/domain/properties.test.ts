// The catalogue, customers and the books under any sequence of requests.
import fc from 'fast-check'
import Type from 'typebox'
import { expect } from 'vitest'
import * as categories from '../../src/domain/catalogue/category.ts'
import { imageFields, imagesMax } from '../../src/domain/catalogue/image.ts'
import * as products from '../../src/domain/catalogue/product.ts'
import * as skus from '../../src/domain/catalogue/skuClaim.ts'
import * as customers from '../../src/domain/customer/customer.ts'
import { Id, Role, roles } from '../../src/domain/kernel/types.ts'
import * as ledger from '../../src/domain/ledger/ledgerImport.ts'
import * as notes from '../../src/domain/order/creditNote.ts'
import { type Ask, aggregateProperties } from '../support/aggregateProperties.ts'
import { valuesOf } from '../support/arbitrary.ts'
import { categoryId, customerId, gbp, productId, sampleId } from '../support/samples.ts'

const ids = [1, 2, 3].map(sampleId)
const names = fc.constantFrom('Lantern', 'Big lantern', 'ランタン')
const optional = <Value>(values: fc.Arbitrary<Value>) => fc.option(values, { nil: undefined })

type ProductAsk = Ask<products.Product, products.ProductEvent>
const prices = fc
  .record({ amount: fc.nat(3), currency: fc.constantFrom('GBP', 'EUR') })
  .filter(price => price.amount > 0)
const newProducts = fc.record({
  productId: fc.constant(productId),
  sku: fc.constant('LANTERN'),
  name: names,
  description: fc.constantFrom('', 'Glows.'),
  price: prices,
  categoryId: fc.constantFrom(categoryId, null),
  featured: fc.boolean(),
  active: fc.boolean(),
})
const productChanges = fc.record({
  productId: fc.constant(productId),
  name: optional(names),
  price: optional(prices),
  categoryId: optional(fc.constantFrom(categoryId, null)),
  featured: optional(fc.boolean()),
  active: optional(fc.boolean()),
})
const creating = newProducts.map((input): ProductAsk => {
  return { asked: 'create', input, decide: state => products.create(state, input) }
})
const changing = productChanges.map((input): ProductAsk => {
  return { asked: 'change', input, decide: state => products.change(state, input) }
})
const removing = fc.constant<ProductAsk>({
  asked: 'remove',
  input: productId,
  decide: state => products.remove(state, productId),
})

const restoring = fc.nat(1).map((voided): ProductAsk => {
  const decide: ProductAsk['decide'] = state =>
    products.restore(state, productId, { voided, categoryId: null })
  return { asked: 'restore', input: voided, decide }
})
const voiding = fc.constant<ProductAsk>({
  asked: 'void claims',
  input: productId,
  addsUp: true,
  decide: state => products.voidClaims(state, productId, now => now.status === 'listed'),
})

const images = valuesOf(Type.Object({ productId: Id, ...imageFields }), { ids: [productId] })
const showing = images.map((input): ProductAsk => {
  return { asked: 'add an image', input, decide: state => products.addImage(state, input) }
})
const hiding = fc.constant<ProductAsk>({
  asked: 'remove the newest image',
  input: productId,
  decide(state) {
    const newest = state.status === 'none' ? undefined : state.images.at(-1)
    return products.removeImage(state, productId, newest?.imageId ?? productId)
  },
})

aggregateProperties('a product', {
  aggregate: products.product,
  ids,
  asks: fc.oneof(
    { arbitrary: creating, weight: 3 },
    { arbitrary: changing, weight: 8 },
    { arbitrary: showing, weight: 3 },
    { arbitrary: hiding, weight: 2 },
    { arbitrary: removing, weight: 1 },
    { arbitrary: restoring, weight: 1 },
    { arbitrary: voiding, weight: 1 },
  ),
  invariant(state, events) {
    if (state.status === 'none') {
      return expect(events.every(({ type }) => type === 'ProductClaimsVoided')).toBe(true)
    }
    expect(state.images.length).toBeLessThanOrEqual(imagesMax)
    expect(new Set(state.images.map(image => image.imageId)).size).toBe(state.images.length)
    let price = gbp(0)
    for (const event of events) {
      if (event.type === 'PriceChanged') expect(event.data.previous).toEqual(price)
      if (event.type === 'PriceChanged') expect(event.data.price).not.toEqual(price)
      if ('price' in event.data) price = event.data.price
    }
    expect(state.price).toEqual(price)
  },
  settled(state) {
    if (state.status === 'none') return []
    return [state.productId, state.sku]
  },
})

type CategoryAsk = Ask<categories.Category, categories.CategoryEvent>
const newCategories = fc.record({
  categoryId: fc.constant(categoryId),
  name: names,
  description: fc.constantFrom('', 'Glows.'),
  active: fc.boolean(),
})

const categoryImages = valuesOf(Type.Object({ categoryId: Id, ...imageFields }), {
  ids: [categoryId],
})

aggregateProperties('a category', {
  aggregate: categories.category,
  ids,
  asks: fc.oneof(
    newCategories.map((input): CategoryAsk => {
      return { asked: 'create', input, decide: state => categories.create(state, input) }
    }),
    fc
      .record({
        categoryId: fc.constant(categoryId),
        name: optional(names),
        active: optional(fc.boolean()),
      })
      .map((input): CategoryAsk => {
        return { asked: 'change', input, decide: state => categories.change(state, input) }
      }),
    categoryImages.map((input): CategoryAsk => {
      return { asked: 'set the image', input, decide: state => categories.setImage(state, input) }
    }),
    fc.constant<CategoryAsk>({
      asked: 'remove the image',
      input: categoryId,
      decide: state => categories.removeImage(state, categoryId),
    }),
    fc.nat(3).map((count): CategoryAsk => {
      const decide: CategoryAsk['decide'] = state =>
        categories.remove(state, categoryId, { products: count })
      return { asked: 'remove', input: count, decide }
    }),
    fc.constantFrom(productId, sampleId(2)).map((product): CategoryAsk => {
      const decide: CategoryAsk['decide'] = state => categories.use(state, categoryId, product)
      return { asked: 'use', input: product, addsUp: true, decide }
    }),
    fc.constant<CategoryAsk>({
      asked: 'remove with every claim unused',
      input: categoryId,
      decide(state) {
        const unused = new Map(categories.usesBeyond(state, new Map()))
        return categories.remove(state, categoryId, { products: 0, unused })
      },
    }),
    fc.constant<CategoryAsk>({
      asked: 'void claims',
      input: categoryId,
      addsUp: true,
      decide: state => categories.voidClaims(state, categoryId, now => now.status === 'listed'),
    }),
  ),
  invariant(state, events) {
    const isDeleted = events.some(event => event.type === 'CategoryDeleted')
    const isMade = events.some(event => event.type === 'CategoryCreated')
    expect(state.status).toBe(!isMade ? 'none' : isDeleted ? 'deleted' : 'listed')
    expect(events.filter(event => event.type === 'CategoryCreated').length).toBeLessThanOrEqual(1)
  },
  settled: state => (state.status === 'none' ? [] : [state.categoryId]),
})

type CustomerAsk = Ask<customers.Customer, customers.CustomerEvent>
const userChanges = fc.record(
  { roles: fc.subarray([...roles]), disabled: fc.boolean() },
  { requiredKeys: [] },
)
const texts = optional(fc.constantFrom('Ada', 'Grace', '', null))

aggregateProperties('a customer', {
  aggregate: customers.customer,
  ids,
  asks: fc.oneof(
    valuesOf(customers.CustomerEvents.CustomerRegistered, { ids: [customerId] }).map(
      (input): CustomerAsk => {
        return { asked: 'register', input, decide: state => customers.register(state, input) }
      },
    ),
    fc.record({ firstName: texts, city: texts, country: texts }).map((input): CustomerAsk => {
      const decide = (state: customers.Customer) => customers.changeProfile(state, input)
      return { asked: 'change', input, decide }
    }),
    valuesOf(Role).map((input): CustomerAsk => {
      return { asked: 'grant', input, decide: state => customers.grantRole(state, input) }
    }),
    valuesOf(Role).map((input): CustomerAsk => {
      return { asked: 'revoke', input, decide: state => customers.revokeRole(state, input) }
    }),
    userChanges.map((input): CustomerAsk => {
      const decide = (state: customers.Customer) => customers.changeUser(state, input, undefined)
      return { asked: 'change user', input, decide }
    }),
    fc.integer({ min: 1, max: 3 }).map((input): CustomerAsk => {
      return { asked: 'note', input, decide: state => customers.notePassword(state, input) }
    }),
    fc.constant({ asked: 'erase', input: null, decide: customers.erase }),
  ),
  invariant(state, events) {
    if (state.status === 'none') return expect(events).toEqual([])
    if (state.status === 'erased') return expect(events.at(-1)?.type).toBe('CustomerErased')
    expect(new Set(state.roles).size).toBe(state.roles.length)
    for (const value of Object.values(state.profile)) expect(value).toBeTypeOf('string')
  },
  settled: state => {
    if (state.status === 'none') return []
    return state.status === 'erased' ? [state.customerId, 'erased'] : [state.customerId]
  },
})

type ClaimAsk = Ask<skus.SkuClaim, skus.SkuClaimEvent>

aggregateProperties('a SKU', {
  aggregate: skus.skuClaim,
  ids,
  asks: fc.tuple(fc.constantFrom(...ids), fc.boolean()).map(([input, claims]): ClaimAsk => {
    return claims
      ? { asked: 'claim', input, decide: state => skus.claim(state, 'LANTERN', input) }
      : { asked: 'release', input, decide: state => skus.release(state, 'LANTERN', input) }
  }),
  invariant(state, events) {
    const claims = events.filter(event => event.type === 'SkuClaimed').length
    expect(claims - (events.length - claims)).toBe(state.productId === null ? 0 : 1)
  },
  // Nothing is for good: what was released may be claimed again.
  settled: () => [],
})

type NoteAsk = Ask<notes.CreditNote, notes.CreditNoteEvent>

aggregateProperties('a credit note', {
  aggregate: notes.creditNote,
  ids,
  asks: valuesOf(notes.CreditNoteEvents.CreditNoteIssued, { ids }).map((input): NoteAsk => {
    return { asked: 'issue', input, decide: state => notes.issue(state, input) }
  }),
  invariant(state, events) {
    expect(events.length).toBe(state.status === 'none' ? 0 : 1)
  },
  settled: state => (state.status === 'none' ? [] : ['issued']),
})

type LedgerAsk = Ask<ledger.LedgerImport, ledger.LedgerImportEvent>

aggregateProperties('a document of a ledger', {
  aggregate: ledger.ledgerImport,
  ids,
  asks: valuesOf(ledger.LedgerImportEvents.LedgerDocumentImported, { ids }).map(
    (input): LedgerAsk => {
      return { asked: 'record', input, decide: state => ledger.recordDocument(state, input) }
    },
  ),
  invariant(state, events) {
    expect(events.length).toBe(state.isDone ? 1 : 0)
  },
  settled: state => (state.isDone ? ['done'] : []),
})
