// Categories over HTTP: names that are taken, deletion, and what is left of a deleted one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { atOnce, expectProblem, gbp, newKey, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

const anyVersion = { ifMatch: '*' }
const add = (name: string, key = newKey()) =>
  app.admin.client.post('/categories', { name }, { key })
const rename = (id: string, name: string) =>
  app.admin.client.patch(`/categories/${id}`, { name }, anyVersion)
const remove = (id: string) => app.admin.client.delete(`/categories/${id}`, undefined, anyVersion)

describe('the name of a category', () => {
  it('is its own, however it is written', async () => {
    const { body } = await add('Bath & Body')
    for (const name of ['Bath & Body', 'BATH & BODY', ' bath  &  body ']) {
      const problem = expectProblem(await add(name), 409, 'category/exists')
      expect(problem.categoryId).toBe(body.id)
    }
    const { body: other } = await add('Bath & Soul')
    expectProblem(await rename(other.id, 'bath & body'), 409, 'category/exists')
    expect((await rename(body.id, 'BATH & BODY')).status).toBe(200)
  })

  it('goes to one of those who ask for it at the same time', async () => {
    const answers = await atOnce(8, () => add('Popular'))
    const statuses = answers.map(({ status }) => status).toSorted()
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409, 409, 409])
  })

  it('is free again once it is given up', async () => {
    const { body } = await add('First name')
    await rename(body.id, 'Second name')
    expect((await add('First name')).status).toBe(201)
    expectProblem(await add('Second name'), 409, 'category/exists')
    await remove(body.id)
    expect((await add('Second name')).status).toBe(201)
  })

  it('is not lost to a change that was refused', async () => {
    const { body } = await add('Kept')
    const stale = { ifMatch: '"99"' }
    const path = `/categories/${body.id}`
    const refused = await app.admin.client.patch(path, { name: 'Wanted' }, stale)
    expectProblem(refused, 412, 'command/stale')
    expect((await add('Wanted')).status).toBe(201)
    expectProblem(await add('Kept'), 409, 'category/exists')
  })

  it('is claimed once however often a request comes', async () => {
    const key = newKey()
    const first = await add('Repeated', key)
    const again = await add('Repeated', key)
    expect([again.status, again.body.id]).toEqual([201, first.body.id])
    expectProblem(await add('Something else', key), 422, 'command/key-reused')
    expect((await add('Something else')).status).toBe(201)
  })
})

describe('a category', () => {
  it('is not deleted while a product that is not deleted belongs to it', async () => {
    const { body } = await add('Occupied')
    const { id } = await newProduct(app, { categoryId: body.id, active: false })
    const problem = expectProblem(await remove(body.id), 409, 'category/in-use')
    expect(problem.products).toBe(1)
    await app.admin.client.delete(`/products/${id}`, undefined, anyVersion)
    expect((await remove(body.id)).status).toBe(200)
  })

  it('that is deleted is gone for everyone', async () => {
    const { body } = await add('Doomed')
    const path = `/categories/${body.id}`
    const gone = await remove(body.id)
    const after = gone.body.position
    for (const client of [app.anyone, app.admin.client]) {
      expectProblem(await client.get(path, { after }), 404, 'category/not-found')
      expectProblem(await client.get(`${path}/products`, { after }), 404, 'category/not-found')
      const { body: all } = await client.get('/categories?pageSize=100', { after })
      expect(all.data).not.toContainEqual(expect.objectContaining({ id: body.id }))
    }
    expectProblem(await rename(body.id, 'Risen'), 404, 'category/not-found')
    const product = { name: 'Late', price: gbp(1), categoryId: body.id }
    const late = await app.admin.client.post('/products', product)
    expectProblem(late, 404, 'category/not-found')
    expect((await remove(body.id)).body.revision).toBe(gone.body.revision)
  })

  it('is deleted by admins alone, and by those who know its version', async () => {
    const { body } = await add('Guarded')
    const path = `/categories/${body.id}`
    const asked = await shopper.client.delete(path, undefined, anyVersion)
    expectProblem(asked, 403, 'command/forbidden')
    const blind = await app.admin.client.delete(path, undefined, { ifMatch: null })
    expectProblem(blind, 428, 'request/precondition-required')
    const missing = await remove('01980000-0000-7000-8000-00000000dead')
    expectProblem(missing, 404, 'category/not-found')
  })
})

describe('a change', () => {
  it('shows in every list and detail once its position is awaited, cached or not', async () => {
    const { body: shelf } = await add('Cached')
    const { id } = await newProduct(app, { categoryId: shelf.id, featured: true, price: gbp(1) })
    const lists = [
      `/products?category=${shelf.id}`,
      `/categories/${shelf.id}/products`,
      '/products/featured?pageSize=100',
    ]
    for (let amount = 2; amount < 12; amount += 1) {
      for (const path of lists) await app.anyone.get(path)
      const path = `/products/${id}`
      const changed = await app.admin.client.patch(path, { price: gbp(amount) }, anyVersion)
      const after = changed.body.position
      const shown = await Promise.all([
        ...lists.map(async list => {
          const { body } = await app.anyone.get(list, { after })
          return body.data.find(each => each.id === id)?.price
        }),
        app.anyone.get(path, { after }).then(({ body }) => body.price),
      ])
      expect(shown).toEqual(shown.map(() => gbp(amount)))
    }
    const renamed = await rename(shelf.id, 'Cached no more')
    const { body } = await app.anyone.get(`/products/${id}`, { after: renamed.body.position })
    expect(body.category).toEqual({ id: shelf.id, name: 'Cached no more' })
  })
})
