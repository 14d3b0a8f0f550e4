// Products and categories over HTTP: what shoppers browse, what admins change.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Wanted } from '../support/apiClient.ts'
import { expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

const missing = '01980000-0000-7000-8000-00000000dead'

async function newCategory(name: string, more: object = {}) {
  const { body } = await app.admin.client.post('/categories', { name, ...more })
  return body
}

describe('a new product', () => {
  it('can be read at once by whoever waits for its position', async () => {
    const { id, position, answer } = await newProduct(app, { name: 'Kettle', sku: 'kettle-1' })
    expect(answer.headers.get('location')).toBe(`/api/products/${id}`)
    const read = await app.anyone.get(`/products/${id}`, { after: position })
    expect(read.body).toMatchObject({
      id,
      name: 'Kettle',
      sku: 'KETTLE-1',
      price: gbp(425),
      availability: 'in',
      category: null,
    })
    expect(read.body).not.toHaveProperty('stock')
    const listed = await app.anyone.get('/products?search=kettle', { after: position })
    expect(listed.body.data).toMatchObject([{ id }])
  })

  it('is refused when its SKU, category or price cannot be', async () => {
    await newProduct(app, { sku: 'TAKEN' })
    const create = (more: object) =>
      app.admin.client.post('/products', { name: 'Lamp', price: gbp(100), ...more })
    expectProblem(await create({ sku: 'taken' }), 409, 'product/sku-taken')
    expectProblem(await create({ categoryId: missing }), 404, 'category/not-found')
    for (const [pointer, more] of [
      ['/price/amount', { price: gbp(-1) }],
      ['/price/amount', { price: gbp(1.5) }],
      ['/price/amount', { price: { amount: '100', currency: 'GBP' } }],
      ['/price/currency', { price: { amount: 100, currency: 'pounds' } }],
      ['/name', { name: '' }],
      ['/stock', { stock: -1 }],
      ['/colour', { colour: 'red' }],
    ] as const) {
      const { errors } = expectProblem(await create(more), 400, 'request/invalid')
      expect(errors.map(each => each.pointer)).toContain(pointer)
    }
  })

  it('is not for customers to make', async () => {
    const body = { name: 'Lamp', price: gbp(100) }
    expectProblem(await shopper.client.post('/products', body), 403, 'command/forbidden')
    expectProblem(await app.anyone.post('/products', body), 401, 'request/unauthenticated')
    const warehouse = await app.person('warehouse')
    expectProblem(await warehouse.client.post('/products', body), 403, 'command/forbidden')
  })

  it('in another currency than the shop’s is refused', async () => {
    const body = { name: 'Lampe', price: { amount: 100, currency: 'EUR' } }
    const { errors } = expectProblem(
      await app.admin.client.post('/products', body),
      400,
      'product/wrong-currency',
    )
    expect(errors).toMatchObject([{ pointer: '/price/currency' }])
  })
})

describe('changing a product', () => {
  it.each(['put', 'patch'] as const)('by %s changes the fields that are sent', async method => {
    const { id } = await newProduct(app, { name: 'Old name', description: 'kept' })
    const changed = await app.admin.client[method](`/products/${id}`, {
      name: 'New name',
      price: gbp(500),
      featured: true,
    })
    expect(changed.status).toBe(200)
    const { body } = await app.anyone.get(`/products/${id}`, { after: changed.body.position })
    const expected = { name: 'New name', description: 'kept', price: gbp(500), featured: true }
    expect(body).toMatchObject(expected)
  })

  it('on a revision that is gone answers 412 with the one that is', async () => {
    const { id, position } = await newProduct(app)
    const read = await app.admin.client.get(`/products/${id}`, { after: position })
    const ifMatch = read.headers.get('etag') ?? ''
    const first = await app.admin.client.patch(`/products/${id}`, { name: 'First' }, { ifMatch })
    expect(first.status).toBe(200)
    const second = await app.admin.client.patch(`/products/${id}`, { name: 'Second' }, { ifMatch })
    const problem = expectProblem(second, 412, 'command/stale')
    expect(problem.currentRevision).toBe(first.body.revision)
    expect(first.headers.get('etag')).toBe(`"${first.body.revision}"`)
  })

  it('or something else without a field is refused: nothing would change', async () => {
    const { id } = await newProduct(app)
    const { body } = await newOrder(shopper, id)
    const category = await newCategory('Nothing changes')
    for (const [client, path] of [
      [app.admin.client, `/products/${id}`],
      [app.admin.client, `/categories/${category.id}`],
      [app.admin.client, `/admin/users/${shopper.id}`],
      [shopper.client, `/orders/${body.orderId}`],
      [shopper.client, '/auth/profile'],
    ] as const) {
      const { errors } = expectProblem(await client.patch(path, {}), 400, 'request/invalid')
      expect([path, errors[0]?.pointer]).toEqual([path, ''])
    }
  })

  it('that is missing answers 404', async () => {
    const patch = await app.admin.client.patch(`/products/${missing}`, { name: 'Nothing' })
    expectProblem(patch, 404, 'product/not-found')
    expectProblem(await app.admin.client.delete(`/products/${missing}`), 404, 'product/not-found')
    expectProblem(await app.anyone.get(`/products/${missing}`), 404, 'product/not-found')
    expectProblem(await app.anyone.get('/products/42'), 400, 'request/invalid')
  })

  it('to inactive or deleted takes it from shoppers, not from the staff', async () => {
    const { id } = await newProduct(app, { name: 'Unobtainium' })
    const hidden = await app.admin.client.patch(`/products/${id}`, { active: false })
    const after = hidden.body.position
    expectProblem(await app.anyone.get(`/products/${id}`, { after }), 404, 'product/not-found')
    const staff = await app.admin.client.get(`/products/${id}`, { after })
    expect(staff.body).toMatchObject({ active: false, deleted: false, stock: { onHand: 10 } })
    const gone = await app.admin.client.delete(`/products/${id}`)
    const deleted = await app.admin.client.get(`/products/${id}`, { after: gone.body.position })
    expect(deleted.body).toMatchObject({ deleted: true })
    const listing = await app.anyone.get('/products?search=unobtainium', {
      after: gone.body.position,
    })
    expect(listing.body.total).toBe(0)
  })
})

describe('what is not sold any more', () => {
  const ids = (body: { data: { id?: unknown }[] }) => body.data.map(({ id }) => id)

  it('is listed for the staff by filters, and for nobody else', async () => {
    const { id: sold } = await newProduct(app, { name: 'Gramophone one' })
    const { id: hidden } = await newProduct(app, { name: 'Gramophone two', active: false })
    const { id: gone } = await newProduct(app, { name: 'Gramophone three' })
    const { body } = await app.admin.client.delete(`/products/${gone}`)
    const after = body.position
    const support = await app.person('support')
    const search = 'search=gramophone&ordering=createdAt'
    // Each also after the other has been asked, so that nothing of one is served as the other.
    for (const _ of ['first', 'again']) {
      const shopped = await app.anyone.get(`/products?${search}`, { after })
      expect(ids(shopped.body)).toEqual([sold])
      expect(shopped.body.data[0]).not.toHaveProperty('stock')
      for (const [filter, found] of [
        ['deleted=true', [gone]],
        ['deleted=false', [sold, hidden]],
        ['active=false', [hidden]],
        ['active=true', [sold]],
        ['active=true&deleted=true', [gone]],
      ] as const) {
        const { client } = filter === 'deleted=true' ? support : app.admin
        const answer = await client.get(`/products?${search}&${filter}`, { after })
        expect([filter, ids(answer.body)]).toEqual([filter, found])
        expect(answer.headers.get('cache-control')).toContain('private')
        const path = `/products?${search}&${filter}`
        expectProblem(await app.anyone.get(path), 401, 'request/unauthenticated')
        expectProblem(await shopper.client.get(path), 403, 'command/forbidden')
      }
    }
    const listed = await app.admin.client.get('/products?deleted=true&limit=100', { after })
    const row = listed.body.data.find(each => each.id === gone)
    expect(row).toMatchObject({ deleted: true, active: true, stock: { onHand: 10 } })
    const path = `/products/${gone}/restore`
    expect((await app.admin.client.post(path)).status).toBe(200)
  })

  it('is in no list of shoppers that takes other filters', async () => {
    for (const path of ['/products/featured', `/categories/${missing}/products`]) {
      const { status } = await app.anyone.get(`${path}?deleted=true`)
      expect([path, status]).toEqual([path, 400])
    }
  })
})

describe('the same representation', () => {
  it('is not sent again', async () => {
    const { id, position } = await newProduct(app)
    const { headers } = await app.anyone.get(`/products/${id}`, { after: position })
    const ifNoneMatch = headers.get('etag') ?? ''
    expect((await app.anyone.get(`/products/${id}`, { ifNoneMatch })).status).toBe(304)
    const changed = await app.admin.client.patch(`/products/${id}`, { price: gbp(1) })
    const wanted: Wanted = { ifNoneMatch, after: changed.body.position }
    expect((await app.anyone.get(`/products/${id}`, wanted)).body.price).toEqual(gbp(1))
  })

  it('is another one once the last piece is gone', async () => {
    const { id, position } = await newProduct(app, { stock: 1 })
    const { headers } = await app.anyone.get(`/products/${id}`, { after: position })
    const adjusted = await app.admin.client.post(`/products/${id}/stock-adjustments`, {
      delta: -1,
      reason: 'lost',
    })
    const wanted = { ifNoneMatch: headers.get('etag') ?? '', after: adjusted.body.position }
    const again = await app.anyone.get(`/products/${id}`, wanted)
    expect(again.body).toMatchObject({ availability: 'out' })
  })
})

describe('a listing', () => {
  let category = ''
  let after = ''
  const ids: Record<string, string> = {}
  beforeAll(async () => {
    category = (await newCategory('Filters')).id
    const shelf: Record<string, object> = {
      cheap: { name: 'Filter paper', price: gbp(100), stock: 5 },
      middle: { name: 'Filter basket', price: gbp(200), stock: 0, featured: true },
      dear: { name: 'Filter machine', price: gbp(300), stock: 50 },
    }
    for (const [name, details] of Object.entries(shelf)) {
      const made = await newProduct(app, { ...details, categoryId: category })
      ids[name] = made.id
      after = made.position
    }
  })

  const find = async (query: string) => {
    const { body } = await app.anyone.get(`/products?category=${category}&${query}`, { after })
    const names = Object.entries(ids)
    return body.data.map(({ id }) => names.find(([, other]) => other === id)?.[0])
  }

  it.each([
    ['ordering=price', ['cheap', 'middle', 'dear']],
    ['ordering=-price', ['dear', 'middle', 'cheap']],
    ['ordering=name', ['middle', 'dear', 'cheap']],
    ['ordering=-name', ['cheap', 'dear', 'middle']],
    ['ordering=createdAt', ['cheap', 'middle', 'dear']],
    ['', ['dear', 'middle', 'cheap']],
    ['minPrice=200&ordering=price', ['middle', 'dear']],
    ['priceMin=200&ordering=price', ['middle', 'dear']],
    ['maxPrice=200&ordering=price', ['cheap', 'middle']],
    ['priceMax=200&ordering=price', ['cheap', 'middle']],
    ['minPrice=150&maxPrice=250', ['middle']],
    ['inStock=true&ordering=price', ['cheap', 'dear']],
    ['inStock=false', ['middle']],
    ['featured=true', ['middle']],
    ['featured=false&ordering=price', ['cheap', 'dear']],
    ['search=machine', ['dear']],
    ['search=machien', ['dear']],
    ['search=100%25', []],
    ['search=_', []],
  ])('with %s', async (query, expected) => {
    expect(await find(query)).toEqual(expected)
  })

  it('comes in pages, each product on one of them', async () => {
    const seen: unknown[] = []
    for (const page of [1, 2, 3]) {
      const path = `/products?category=${category}&ordering=price&pageSize=1&page=${page}`
      const { body } = await app.anyone.get(path, { after })
      expect(body).toMatchObject({ page, pageSize: 1, total: 3 })
      seen.push(...body.data.map(({ id }) => id))
    }
    expect(seen).toEqual([ids.cheap, ids.middle, ids.dear])
    const beyond = await app.anyone.get(`/products?category=${category}&page=9`, { after })
    expect(beyond.body.data).toEqual([])
  })

  it('of a category or of what is featured is the same with less to type', async () => {
    const inCategory = await app.anyone.get(`/categories/${category}/products`, { after })
    expect(inCategory.body.total).toBe(3)
    const featured = await app.anyone.get('/products/featured?pageSize=100', { after })
    expect(featured.body.data).toContainEqual(expect.objectContaining({ id: ids.middle }))
    expect(featured.body.data.every(each => each.featured)).toBe(true)
  })

  it.each([
    'page=0',
    'pageSize=101',
    'pageSize=ten',
    'inStock=perhaps',
    'minPrice=-1',
    'ordering=colour',
    'category=garden',
    'colour=red',
    'minPosition=soon',
  ])('refuses %s', async query => {
    const { errors } = expectProblem(
      await app.anyone.get(`/products?${query}`),
      400,
      'request/invalid',
    )
    expect(errors[0]?.pointer).toBe(`/${query.split('=')[0]}`)
  })

  it('shows a price at once to whoever waits for its position, cached or not', async () => {
    for (let price = 101; price < 121; price += 1) {
      await find('ordering=price')
      const changed = await app.admin.client.patch(`/products/${ids.cheap}`, { price: gbp(price) })
      const path = `/products?category=${category}&ordering=price`
      const { body } = await app.anyone.get(path, { after: changed.body.position })
      expect(body.data[0]?.price).toEqual(gbp(price))
    }
  })
})

describe('waiting for a position', () => {
  it('that is no number is refused', async () => {
    expectProblem(await app.anyone.get('/products', { after: '1e3' }), 400, 'request/invalid')
  })
})

describe('categories', () => {
  it('are made and changed by admins and listed by name', async () => {
    const made = await newCategory('Bath', { description: 'For the bath.' })
    const path = `/categories/${made.id}`
    const changed = await app.admin.client.patch(path, { name: 'Bathroom' })
    const after = changed.body.position
    const read = await app.anyone.get(path, { after })
    expect(read.body).toMatchObject({ name: 'Bathroom', description: 'For the bath.' })
    const ifNoneMatch = read.headers.get('etag') ?? ''
    expect((await app.anyone.get(path, { ifNoneMatch })).status).toBe(304)
    const { body } = await app.anyone.get('/categories?pageSize=100', { after })
    expect(body.data).toContainEqual(expect.objectContaining({ id: made.id, name: 'Bathroom' }))
    const put = await app.admin.client.put(path, { active: false }, { ifMatch: ifNoneMatch })
    expect(put.status).toBe(200)
    const open = await app.anyone.get('/categories?pageSize=100', { after: put.body.position })
    expect(open.body.data).not.toContainEqual(expect.objectContaining({ id: made.id }))
  })

  it('refuse customers, unknown fields and missing ones', async () => {
    expectProblem(await shopper.client.post('/categories', { name: 'X' }), 403, 'command/forbidden')
    const strange = await app.admin.client.post('/categories', { name: 'X', colour: 'red' })
    expect(expectProblem(strange, 400, 'request/invalid').errors[0]?.pointer).toBe('/colour')
    const patch = await app.admin.client.patch(`/categories/${missing}`, { name: 'X' })
    expectProblem(patch, 404, 'category/not-found')
    expectProblem(await app.anyone.get(`/categories/${missing}`), 404, 'category/not-found')
  })
})
