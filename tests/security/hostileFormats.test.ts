// Poison beyond JSON: forms, files of rows, live connections, large bodies, accounts, guest carts.
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newProduct } from '../support/goods.ts'
import {
  expectNothingParked,
  type HostileRequest,
  sayHowToRepeat,
  sendAll,
  some,
} from '../support/hostile.ts'
import { handshakeStatus, sendFrames } from '../support/liveFeed.ts'
import { jsonWith, placesOf, poisonJson } from '../support/poison.ts'
import { csv, importFile, ndjson } from '../support/productImports.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const texts = poisonJson.filter(json => json.startsWith('"')).map(json => String(JSON.parse(json)))
/** As they come over a wire: with what is no UTF-8 at all. */
const bytes = [
  ...texts.map(text => Buffer.from(text)),
  ...['eda080', 'c0af', 'ff', '00', '0d0a', '22', '0a2d2d78'].map(hex => Buffer.from(hex, 'hex')),
]
const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

let app: TestApp
let productId = ''
beforeAll(async () => {
  sayHowToRepeat()
  app = await startTestApp({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  productId = (await newProduct(app, { stock: 100_000 })).id
})
afterAll(() => app?.close())

describe('poison in forms', () => {
  /** A form as bytes: no library writes one that is broken. */
  function form(parts: { head: Buffer; content: Buffer }[]): Buffer {
    const pieces = parts.flatMap(({ head, content }) => [
      Buffer.from('--x\r\nContent-Disposition: form-data; '),
      head,
      Buffer.from('\r\n\r\n'),
      content,
      Buffer.from('\r\n'),
    ])
    return Buffer.concat([...pieces, Buffer.from('--x--\r\n')])
  }
  const head = (before: string, poison: Buffer, after: string) =>
    Buffer.concat([Buffer.from(before), poison, Buffer.from(after)])
  const file = {
    head: Buffer.from('name="file"; filename="a.png"\r\nContent-Type: image/png'),
    content: png,
  }
  const headers = { 'content-type': 'multipart/form-data; boundary=x' }

  it('is answered as declared, in any field and file name', async () => {
    const bodies = [
      ...bytes.map(content => form([{ head: Buffer.from('name="alt"'), content }, file])),
      ...bytes.map(poison => {
        const named = head('name="file"; filename="', poison, '"\r\nContent-Type: image/png')
        return form([{ head: named, content: png }])
      }),
      ...bytes.map(poison => form([{ head: head('name="', poison, '"'), content: png }, file])),
      ...bytes.map(poison => {
        const typed = head('name="file"; filename="a"\r\nContent-Type: ', poison, '')
        return form([{ head: typed, content: png }])
      }),
      ...bytes.map(content => form([{ ...file, content }])),
      form([]),
      form([file, file]),
      form([file]).subarray(0, 60),
      Buffer.alloc(0),
    ]
    const base = { method: 'POST', path: `/api/products/${productId}/images`, headers }
    const name = 'POST /api/products/{productId}/images'
    await sendAll(
      app,
      bodies.map(body => ({ ...base, name, body })),
    )
    const noBoundary = { 'content-type': 'multipart/form-data' }
    await sendAll(app, [{ ...base, name, headers: noBoundary, body: form([file]) }])
  }, 60_000)
})

describe('poison in files of products', () => {
  const columns = ['sku', 'name', 'price', 'stock', 'description', 'category', 'featured', 'active']
  const good = ['S-1', 'Lamp', '1.00', '1', 'Warm.', '', 'true', 'true']

  it('ends with faults by line, as CSV and as NDJSON', async () => {
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    const rows = columns.flatMap((_, column) =>
      some(texts).map((text, at) =>
        good
          .map((cell, index) =>
            index === column ? text : index === 0 ? `S-${column}-${at}` : cell,
          )
          .map(quoted)
          .join(),
      ),
    )
    const table = await importFile(app, `${columns.join()}\n${rows.join('\n')}\n`)
    expect(['finished', 'failed']).toContain(table.body.status)
    const row = Object.fromEntries(columns.map((column, at) => [column, good[at]]))
    const lines = columns.flatMap(column =>
      some(poisonJson).map(json => jsonWith(row, [column], json)),
    )
    const objects = await importFile(app, lines.join('\n'), { type: ndjson })
    expect(['finished', 'failed']).toContain(objects.body.status)
  }, 120_000)

  it('that is no UTF-8, or in the names of columns, is an answer or a fault', async () => {
    const name = 'POST /api/products/imports'
    const base = { name, method: 'POST', path: '/api/products/imports?dryRun=true' }
    const files = bytes.flatMap(poison => [
      { type: csv, body: Buffer.concat([Buffer.from('sku,name,price\n'), poison]) },
      { type: csv, body: Buffer.concat([poison, Buffer.from(',sku\nS-1,Lamp\n')]) },
      { type: ndjson, body: Buffer.concat([Buffer.from('{"'), poison, Buffer.from('":1}')]) },
    ])
    await sendAll(
      app,
      files.map(({ type, body }) => ({ ...base, headers: { 'content-type': type }, body })),
    )
    await waitFor(
      'the end of all imports',
      async () => {
        const { body } = await app.admin.client.get('/admin/projections')
        const { rows } = await app.back.pool.query(
          `select 1 from shop.product_imports where status in ('queued', 'running')`,
        )
        return body.data.length > 0 && rows.length === 0
      },
      60_000,
    )
  }, 120_000)
})

describe('poison over live connections', () => {
  it('as messages is answered, or ends the connection and no more', async () => {
    const person = await app.person('support')
    const frames = [
      ...poisonJson,
      ...['resume', 'subscribe', 'type'].flatMap(field =>
        some(poisonJson).map(json => `{"${field}":${json}}`),
      ),
      ...some(bytes),
    ]
    for (let at = 0; at < frames.length; at += 15) {
      const part = frames.slice(at, at + 15)
      const sent = await sendFrames(app.url, { authorization: `Bearer ${person.access}` }, part)
      let code: number | undefined
      void sent.closed.then(closed => {
        code = closed
      })
      await waitFor('answers or an end', () => sent.answers() >= part.length || code !== undefined)
      // Too long, or no text: never a failure of the server.
      if (code !== undefined) expect([1007, 1008, 1009]).toContain(code)
      sent.cut()
      await sent.closed
    }
  }, 60_000)

  it('in a handshake or a Last-Event-ID is refused, or led to load anew', async () => {
    const values = ['-1', '1e9', '9'.repeat(40), '\u00ed\u00a0', '1.5', 'x'.repeat(5_000)]
    for (const value of values) {
      const authorization = `Bearer ${value}`
      expect(await handshakeStatus(app.url, { authorization })).toBe(401)
      const ending = new AbortController()
      const response = await fetch(`${app.url}/api/orders/notifications`, {
        headers: { authorization: `Bearer ${app.admin.access}`, 'last-event-id': value },
        signal: ending.signal,
      })
      expect(response.status).toBe(200)
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      let heard = ''
      while (!heard.includes('resync')) heard += (await reader?.read())?.value ?? 'resync: ended'
      expect(heard).toContain('"type":"resync"')
      ending.abort()
    }
  }, 60_000)
})

describe('a body of ten megabytes', () => {
  const large = 10 * 1024 * 1024

  /** Says how much it will send, and sends a part of it. */
  async function announced(method: string, path: string, type: string): Promise<number> {
    const request = httpRequest(app.url + path, {
      method,
      headers: {
        authorization: `Bearer ${app.admin.access}`,
        'content-type': type,
        'content-length': String(type === csv ? 7 * large : large),
        'idempotency-key': 'large',
        'if-match': '*',
      },
    })
    request.on('error', () => undefined)
    request.write(Buffer.alloc(1_024, 0x20))
    const [response] = await once(request, 'response', { signal: AbortSignal.timeout(10_000) })
    request.destroy()
    return Number(response.statusCode)
  }

  it('is refused with 413 on every route that takes one, before it is there', async () => {
    const routes = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { requestBody }]) => {
        const [type] = Object.keys(requestBody?.content ?? {})
        const isBody = type !== undefined && !type.startsWith('multipart/')
        return isBody ? [{ method: method.toUpperCase(), path, type }] : []
      }),
    )
    const answers = await Promise.all(
      routes.map(async ({ method, path, type }) => {
        const status = await announced(method, path.replace(/\{\w+\}/g, productId), type)
        return status === 413 ? [] : `${method} ${path} → ${status}`
      }),
    )
    expect(routes.length).toBeGreaterThan(30)
    expect(answers.flat()).toEqual([])
  }, 60_000)

  it('that does not say how long it is, or is a picture, is refused, too', async () => {
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(large)], { type: 'image/png' }), 'large.png')
    const headers = { authorization: `Bearer ${app.admin.access}` }
    const path = `${app.url}/api/products/${productId}/images`
    const picture = await fetch(path, { method: 'POST', headers, body: form })
    expect(picture.status).toBe(413)
    const request = httpRequest(`${app.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    })
    request.on('error', () => undefined)
    request.write(Buffer.alloc(large, 0x20))
    const [response] = await once(request, 'response', { signal: AbortSignal.timeout(10_000) })
    expect(response.statusCode).toBe(413)
    request.destroy()
  }, 60_000)
})

describe('poison about accounts and carts', () => {
  const asked = (name: string, path: string, body: object, token: string | null) =>
    placesOf(body).flatMap(place =>
      some(poisonJson).map((text): HostileRequest => {
        const [method = ''] = name.split(' ')
        return { name, method, path, token, body: jsonWith(body, place, text) }
      }),
    )

  it('of disposable people is answered as declared', async () => {
    const person = await app.person()
    const { access: token } = person
    const other = await app.person()
    const register = { username: 'poisoned', email: 'p@example.com', password, firstName: 'A' }
    const user = '/api/admin/users/{customerId}'
    const change = { oldPassword: password, newPassword: `${password}, twice` }
    await sendAll(app, [
      ...asked('POST /api/auth/register', '/api/auth/register', register, null),
      ...asked('POST /api/auth/login', '/api/auth/login', { username: 'x', password }, null),
      ...asked('POST /api/auth/login', '/api/auth/login', { email: 'x@x.org', password }, null),
      ...asked('POST /api/auth/password/change', '/api/auth/password/change', change, token),
      ...asked('DELETE /api/auth/profile', '/api/auth/profile', { password: 'wrong' }, token),
    ])
    await sendAll(
      app,
      asked(
        `PATCH ${user}`,
        `/api/admin/users/${other.id}`,
        { roles: ['customer'], disabled: true },
        app.admin.access,
      ),
    )
  }, 120_000)

  it('in the token of a guest’s cart is answered as declared', async () => {
    const tokens = ['x', 'x'.repeat(43), '-'.repeat(43), '\u00ed\u00a0\u0080', '__proto__', "';--"]
    const routes: [string, string, object?][] = [
      ['GET /api/cart', '/api/cart'],
      ['GET /api/cart/total', '/api/cart/total'],
      ['POST /api/cart/items', '/api/cart/items', { productId, quantity: 1 }],
      ['DELETE /api/cart', '/api/cart'],
      ['POST /api/auth/login', '/api/auth/login', { username: 'nobody', password: 'x' }],
    ]
    const all = tokens.flatMap(value =>
      routes.map(([name, path, body]): HostileRequest => {
        const [method = ''] = name.split(' ')
        const headers = { 'x-cart-token': value }
        const json = body === undefined ? {} : { body: JSON.stringify(body) }
        return { name, method, path, token: null, headers, ...json }
      }),
    )
    await sendAll(app, all)
  }, 60_000)
})

describe('after all of it', () => {
  it('nothing is parked in any read model or reaction', async () => {
    await expectNothingParked(app)
  }, 60_000)
})
