// Lists in parts over HTTP: cursors that neither skip nor repeat, and links to the other parts.
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../support/apiClient.ts'
import { expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let after = ''
let category = ''
const ids: string[] = []
beforeAll(async () => {
  app = await startTestApp()
  category = (await app.admin.client.post('/categories', { name: 'Shelf' })).body.id
  // Few names and prices: most of what is compared is the same.
  for (let index = 0; index < 13; index += 1) {
    const details = { name: `Lamp ${index % 3}`, price: gbp(100 + (index % 2)), stock: index % 2 }
    const { id, position } = await newProduct(app, { ...details, categoryId: category })
    ids.push(id)
    after = position
  }
})
afterAll(() => app?.close())

const Movements = Compile(Type.Array(Type.Object({ onHandDelta: Type.Integer() })))
const nextOf = (link: string | null) => /<([^>]+)>; rel="next"/.exec(link ?? '')?.[1]

/** Follows the links from one part to the next, as a client does. */
async function follow(first: string, client = app.anyone) {
  const seen: unknown[] = []
  let path: string | undefined = first
  for (let parts = 0; path !== undefined && parts < 50; parts += 1) {
    const { headers, body } = await client.get(path, { after })
    seen.push(...body.data.map(({ id }) => id))
    path = nextOf(headers.get('link'))?.replace('/api', '')
  }
  return seen
}

describe('a cursor', () => {
  it.each(['name', '-name', 'price', '-price', 'createdAt', '-createdAt', 'relevance'])(
    'leads through all products by %s, each of them once, as pages do',
    async ordering => {
      const path = `/products?category=${category}&ordering=${ordering}&search=lamp`
      const whole = await app.anyone.get(`${path}&pageSize=100`, { after })
      const inOrder = whole.body.data.map(({ id }) => id)
      expect(inOrder.toSorted()).toEqual(ids.toSorted())
      expect(await follow(`${path}&limit=4`)).toEqual(inOrder)
      expect(await follow(`${path}&pageSize=4`)).toEqual(inOrder)
    },
  )

  it('is not put off by what comes in before it', async () => {
    const path = `/products?category=${category}&limit=5`
    const first = await app.anyone.get(path, { after })
    const late = await newProduct(app, { name: 'Late', categoryId: category })
    const cursor = `${path}&cursor=${first.body.nextCursor}`
    const second = await app.anyone.get(cursor, { after: late.position })
    const seen = [...first.body.data, ...second.body.data].map(({ id }) => id)
    expect(seen).toEqual(ids.toReversed().slice(0, 10))
    const gone = await app.admin.client.delete(`/products/${late.id}`, undefined, { ifMatch: '*' })
    after = gone.body.position
  })

  it('ends where there is no more', async () => {
    const path = `/products?category=${category}&limit=13`
    const { headers, body } = await app.anyone.get(path, { after })
    expect(body.data).toHaveLength(13)
    expect(body).not.toHaveProperty('nextCursor')
    expect(body).not.toHaveProperty('total')
    expect(headers.get('link')).toBe(`</api/products?category=${category}&limit=13>; rel="first"`)
  })

  it('is of no use for another list, and nothing can be made up', async () => {
    const { body } = await app.anyone.get('/products?limit=1&ordering=price', { after })
    const good = String(body.nextCursor)
    const [version, digest, key, id] = JSON.parse(Buffer.from(good, 'base64url').toString())
    const made = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url')
    for (const query of [
      `ordering=name&cursor=${good}`,
      `ordering=price&featured=true&cursor=${good}`,
      `ordering=price&cursor=${good.slice(1)}`,
      'cursor=',
      'cursor=%00',
      `ordering=price&cursor=${made(2, digest, key, id)}`,
      `ordering=price&cursor=${made(version, digest, 'cheap', id)}`,
      `ordering=price&cursor=${made(version, digest, '9'.repeat(30), id)}`,
      `ordering=price&cursor=${made(version, digest, key, "' or true")}`,
      `ordering=price&cursor=${made(version, digest, key)}`,
      `page=1&cursor=${good}`,
      'page=1&limit=5',
      'limit=0',
      'limit=101',
    ]) {
      expectProblem(await app.anyone.get(`/products?${query}`), 400, 'request/invalid')
    }
    expect((await app.anyone.get(`/products?ordering=price&cursor=${good}`)).status).toBe(200)
  })
})

describe('a page', () => {
  it('links to the first, the one before, the next and the last', async () => {
    const path = `/products?category=${category}&pageSize=5&page=2`
    const { headers, body } = await app.anyone.get(path, { after })
    expect(body).toMatchObject({ page: 2, pageSize: 5, total: 13 })
    const to = (page: number) => `</api/products?category=${category}&pageSize=5&page=${page}>`
    expect(headers.get('link')).toBe(
      `${to(1)}; rel="first", ${to(1)}; rel="prev", ${to(3)}; rel="next", ${to(3)}; rel="last"`,
    )
    const beyond = await app.anyone.get(`${path.slice(0, -1)}9`, { after })
    expect(beyond.headers.get('link')).toContain(`${to(3)}; rel="prev"`)
    expect(nextOf(beyond.headers.get('link'))).toBeUndefined()
  })
})

describe('orders', () => {
  it('come by cursor too, and one customer’s cursor shows nothing to another', async () => {
    const [one, other] = [await app.person(), await app.person()]
    const { id } = await newProduct(app, { stock: 100 })
    const made: unknown[] = []
    for (let count = 0; count < 5; count += 1) {
      const { body } = await newOrder(one, id)
      made.unshift(body.id)
      after = body.position
    }
    expect(await follow('/orders?limit=2', one.client)).toEqual(made)
    expect(await follow('/orders?pageSize=2', one.client)).toEqual(made)
    const { body } = await one.client.get('/orders?limit=2', { after })
    const stolen = await other.client.get(`/orders?cursor=${body.nextCursor}`)
    expectProblem(stolen, 400, 'request/invalid')
  })
})

describe('every other list', () => {
  const listed = async (path: string, client: Client) => {
    const whole = await client.get(`${path}${path.includes('?') ? '&' : '?'}pageSize=100`, {
      after,
    })
    const inOrder = whole.body.data.map(({ id }) => id)
    const join = path.includes('?') ? '&' : '?'
    expect(inOrder.length).toBeGreaterThan(4)
    expect(whole.body.total).toBe(inOrder.length)
    expect(await follow(`${path}${join}pageSize=2`, client)).toEqual(inOrder)
    expect(await follow(`${path}${join}limit=2`, client)).toEqual(inOrder)
    expect((await client.get(path, { after })).body.data).toEqual(whole.body.data.slice(0, 10))
  }

  it('of categories goes by page and by cursor', () => listed('/categories', app.anyone))

  it('of scarce products does', () => listed('/products/low-stock?threshold=9', app.admin.client))

  it('of one’s sessions does', async () => {
    const { client, username } = await app.person()
    for (let count = 0; count < 5; count += 1) {
      await app.anyone.post('/auth/login', { username, password })
    }
    await listed('/auth/sessions', client)
  })

  it('of the movements of a product does', async () => {
    const { id } = await newProduct(app, { stock: 1 })
    const path = `/products/${id}/stock`
    for (let delta = 1; delta < 6; delta += 1) {
      const body = { delta, reason: 'received' }
      after = (await app.admin.client.post(`${path}-adjustments`, body)).body.position
    }
    const whole = await app.admin.client.get(path, { after })
    const deltas = Movements.Parse(whole.body.movements).map(({ onHandDelta }) => onHandDelta)
    expect(deltas).toEqual([5, 4, 3, 2, 1, 1])
    expect(whole.body).toMatchObject({ onHand: 16, page: 1, pageSize: 10, total: 6 })
    const seen: number[] = []
    for (let next = `${path}?limit=2`; next !== ''; ) {
      const { headers, body } = await app.admin.client.get(next, { after })
      seen.push(...Movements.Parse(body.movements).map(({ onHandDelta }) => onHandDelta))
      next = nextOf(headers.get('link'))?.replace('/api', '') ?? ''
    }
    expect(seen).toEqual(deltas)
  })
})
