// Text that callers send: well-formed, trimmed and bounded, or refused by field.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, gbp, newKey, newOrder, newProduct } from '../support/goods.ts'
import { looseText } from '../support/looseText.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let ada: Person
let productId = ''
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

const items = () => [{ productId, quantity: 1 }]
const poison = [
  'a\u0000b',
  'a\ud800b',
  '\udc00',
  'a\u0007b',
  'a\u009fb',
  '\u200b',
  ' \u00a0\ufeff ',
]

/** No read model has an event that it could not handle. */
async function nothingIsParked() {
  const { rows } = await app.back.pool.query('select name, position, error from shop.parked_events')
  expect(rows).toEqual([])
}

describe.each(poison)('the text %j', text => {
  it('is refused in every field, all of them at once', async () => {
    const order = { shippingAddress: text, phoneNumber: text, paymentMethod: text, items: items() }
    const placed = expectProblem(await ada.client.post('/orders', order), 400, 'request/invalid')
    const pointers = placed.errors.map(({ pointer }) => pointer).sort()
    expect(pointers).toEqual(['/paymentMethod', '/phoneNumber', '/shippingAddress'])
    const product = { name: text, description: `x${text}\u0000`, sku: text, price: gbp(1) }
    const made = await app.admin.client.post('/products', product)
    expect(expectProblem(made, 400, 'request/invalid').errors).toHaveLength(3)
  })

  it('is refused before anybody is registered', async () => {
    const username = `text-${newKey().slice(0, 8)}`
    const body = { username, email: `${username}@example.com`, password, lastName: `${text}\ud800` }
    const answer = await app.anyone.post('/auth/register', body)
    expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/lastName')
    const login = await app.anyone.post('/auth/login', { username, password })
    expectProblem(login, 401, 'account/invalid-credentials')
  })
})

describe('text', () => {
  it('is trimmed before it is kept, so that other white space is the same request', async () => {
    const key = newKey()
    const address = {
      shippingAddress: ' 1 High Street,\nLeeds \n',
      phoneNumber: ' +44 113 000000\t',
    }
    const first = await ada.client.post('/orders', { ...address, items: items() }, { key })
    expect(first.status).toBe(201)
    const again = await ada.client.post(
      '/orders',
      { shippingAddress: '1 High Street,\nLeeds', phoneNumber: '+44 113 000000', items: items() },
      { key },
    )
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const after = first.body.position
    const { body } = await ada.client.get(`/orders/${first.body.id}`, { after })
    expect(body).toMatchObject({
      shippingAddress: '1 High Street,\nLeeds',
      phoneNumber: '+44 113 000000',
    })
  })

  it('that is required is not blank', async () => {
    const blank = { shippingAddress: '   ', phoneNumber: '\t', country: '  ', items: items() }
    const { errors } = expectProblem(
      await ada.client.post('/orders', blank),
      400,
      'request/invalid',
    )
    expect(errors.map(({ pointer, detail }) => `${pointer} ${detail}`).sort()).toEqual([
      '/country must be an ISO 3166-1 alpha-2 code, such as GB or DE',
      '/phoneNumber must not be empty',
      '/shippingAddress must not be empty',
    ])
    // White space and signs that nobody sees, which trimming leaves.
    const unseen = { city: ' ', postalCode: '', firstName: '\u200b', lastName: '\u2060\u200d' }
    const profile = await ada.client.patch('/auth/profile', unseen)
    expect(expectProblem(profile, 400, 'request/invalid').errors).toHaveLength(4)
  })

  it('is bounded in code points, so that one grapheme cannot be 60 KiB long', async () => {
    const long = `e${'\u0301'.repeat(20_000)}`
    for (const field of ['name', 'sku']) {
      const body = { name: 'Lamp', price: gbp(1), [field]: long }
      const answer = await app.admin.client.post('/products', body)
      const { errors } = expectProblem(answer, 400, 'request/invalid')
      expect(errors[0]?.pointer).toBe(`/${field}`)
    }
  })

  it('that grows when it is compared is refused where it is sent', async () => {
    // U+FDFA is one character, and eighteen in its compatibility form; ß becomes SS.
    const category = await app.admin.client.post('/categories', { name: '\ufdfa'.repeat(200) })
    expectProblem(category, 400, 'request/invalid')
    const sku = { name: 'Lamp', price: gbp(1), sku: 'ß'.repeat(64) }
    expectProblem(await app.admin.client.post('/products', sku), 400, 'request/invalid')
  })

  it('that is a password keeps its spaces', async () => {
    const username = `space-${newKey().slice(0, 8)}`
    const spaced = '  correct horse battery  '
    const body = { username, email: `${username}@example.com`, password: spaced }
    expect((await app.anyone.post('/auth/register', body)).status).toBe(201)
    const bare = { username, password: spaced.trim() }
    expectProblem(await app.anyone.post('/auth/login', bare), 401, 'account/invalid-credentials')
    const login = await app.anyone.post('/auth/login', {
      username: ` ${username} `,
      password: spaced,
    })
    expect(login.status).toBe(200)
    const nul = { username, password: `${spaced}\u0000` }
    const { errors } = expectProblem(
      await app.anyone.post('/auth/login', nul),
      400,
      'request/invalid',
    )
    expect(errors[0]?.pointer).toBe('/password')
  })

  it('in query, path and form is held to the same', async () => {
    const { client } = app.admin
    for (const path of [
      '/products?search=a%00b',
      '/admin/users?search=%00',
      '/admin/users?search=%20%20',
      '/audit/events?type=%00',
      '/audit/streams/order%00',
      '/admin/projections/a%00/parked',
    ]) {
      expectProblem(await client.get(path), 400, 'request/invalid')
    }
  })
})

describe('every route', () => {
  it('takes text of the shared types alone', () => {
    const taken = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { parameters = [], requestBody }]) => [
        ...parameters.flatMap(({ name, schema = {} }) =>
          looseText(schema, `${method} ${path} ${name}`),
        ),
        ...looseText(requestBody?.content['application/json']?.schema ?? {}, `${method} ${path}`),
      ]),
    )
    expect(taken).toEqual([])
  })

  it('would be found if it took any other', () => {
    const text = { type: 'string', maxLength: 10 }
    const loose = { a: text, b: { type: 'array', items: text }, c: { anyOf: [text] } }
    expect(looseText({ type: 'object', properties: loose }, '')).toEqual(['/a', '/b[]', '/c'])
    expect(looseText({ type: 'string', pattern: '^[a-z]*$' }, 'x')).toEqual(['x'])
  })
})

describe('a country', () => {
  it.each(['GB', 'gb', ' Gb '])('sent as %j is GB', async country => {
    const { body } = await ada.client.post('/orders', { ...delivery, country, items: items() })
    const read = await ada.client.get(`/orders/${body.id}`, { after: body.position })
    expect(read.body.country).toBe('GB')
    await ada.client.patch('/auth/profile', { country })
    expect((await ada.client.get('/auth/profile')).body.country).toBe('GB')
  })

  it.each([
    ['UK', 'here GB'],
    ['United Kingdom', 'here GB'],
    ['germany', 'here DE'],
    ['Atlantis', 'such as GB or DE'],
    ['XX', 'such as GB or DE'],
    ['', 'such as GB or DE'],
  ])('sent as %j is refused with what is allowed', async (country, hint) => {
    const answer = await ada.client.post('/orders', { ...delivery, country, items: items() })
    expect(expectProblem(answer, 400, 'request/invalid').errors).toEqual([
      { pointer: '/country', detail: `must be an ISO 3166-1 alpha-2 code, ${hint}`, in: 'body' },
    ])
  })
})

describe('the faults of a request', () => {
  it('are told all at once, in plain words, whatever else is wrong', async () => {
    const body = {
      surplus: 1,
      phoneNumber: 7,
      acceptPrices: 'yes',
      items: [
        { productId: 'seven', quantity: 0 },
        { quantity: 1.5, colour: 'red' },
      ],
    }
    const { errors } = expectProblem(await ada.client.post('/orders', body), 400, 'request/invalid')
    const told = Object.fromEntries(errors.map(({ pointer, detail }) => [pointer, detail]))
    expect(told).toMatchObject({
      '/shippingAddress': 'is required',
      '/phoneNumber': 'must be text',
      '/acceptPrices': 'must be true or false',
      '/surplus': expect.stringMatching(/^is not a known field: the fields here are .*phoneNumber/),
      '/items/0/productId': expect.stringMatching(/^must be a UUID in lower case, such as [\w-]+$/),
      '/items/0/quantity': 'must not be less than 1',
      '/items/1/productId': 'is required',
      '/items/1/quantity': 'must be a whole number',
      '/items/1/colour': 'is not a known field: the fields here are productId, quantity',
    })
  })

  it('are told of path and body together, and name the values of a choice', async () => {
    const body = { status: 'lost' }
    const answer = await app.admin.client.patch('/orders/seven/status', body)
    const { errors } = expectProblem(answer, 400, 'request/invalid')
    expect(errors.map(({ pointer, detail }) => [pointer, detail])).toEqual([
      ['/orderId', expect.stringMatching(/^must be a UUID/)],
      ['/status', expect.stringMatching(/^must be one of: .*shipped/)],
    ])
  })

  it('are a hundred at most, however many there are', async () => {
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`f${index}`, 1]))
    const { errors } = expectProblem(await ada.client.post('/orders', many), 400, 'request/invalid')
    expect(errors).toHaveLength(100)
  })

  it.each([
    '2026-06-30T23:59:60Z',
    '2026-02-30T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
    '275760-09-13T00:00:01Z',
    '9999-12-31T23:59:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-06-30',
    'yesterday',
  ])('name the time %s in plain words', async time => {
    for (const path of ['/orders?from=', '/orders?to=', '/audit/events?from=']) {
      const answer = await app.admin.client.get(path + encodeURIComponent(time))
      const { errors } = expectProblem(answer, 400, 'request/invalid')
      expect(errors[0]?.detail).toMatch(/^must be a time as in RFC 3339/)
    }
  })

  it('of numbers in a query are not rounded away', async () => {
    for (const page of ['1.5', '', '0x10', '1e1', '9007199254740993', '1e309', '-0.5']) {
      const answer = await app.anyone.get(`/products?page=${page}`)
      expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/page')
    }
  })

  it('include nesting without end', async () => {
    const deep = `{"surplus":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
    expectProblem(await ada.client.post('/orders', deep), 400, 'request/invalid')
  })
})

describe('afterwards', () => {
  it('every read model has handled every event', async () => {
    const last = await newOrder(ada, productId)
    await waitFor('the last order', async () => {
      const { body } = await ada.client.get(`/orders/${last.body.id}`, {
        after: last.body.position,
      })
      return body.id === last.body.id
    })
    await nothingIsParked()
  })
})
