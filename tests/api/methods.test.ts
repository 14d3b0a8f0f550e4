// Methods: what an address has is told, what it has not is refused, and HEAD is GET without body.
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

const origin = 'https://shop.example.com'
const all = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { CORS_ORIGINS: origin } })
})
afterAll(() => app?.close())

interface Plain {
  status: number | undefined
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** By any method at all: fetch refuses to send some of them. */
function send(method: string, path: string, headers: Record<string, string> = {}): Promise<Plain> {
  return new Promise((resolve, reject) => {
    const sent = request(`${app.url}${path}`, { method, headers }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, text })
      })
    })
    sent.on('error', reject).end()
  })
}

const id = '019aa6a5-0000-7000-8000-000000000000'
const pathOf = (path: string) => path.replace(/\{\w+\}/g, id)

/** The addresses of the document with the methods that they have. */
function addresses() {
  return Object.entries(app.contract.document.paths).map(([path, methods]) => {
    const known = Object.keys(methods).map(method => method.toUpperCase())
    // What never ends has no head either.
    const isEndless = path === '/api/orders/notifications'
    return { path, known: known.includes('GET') && !isEndless ? [...known, 'HEAD'] : known }
  })
}

const methodsIn = (allow: unknown) => String(allow).split(', ').toSorted()

describe('a method that an address does not have', () => {
  it('is answered with 405 and those that it has, at every address', async () => {
    const wrong: string[] = []
    for (const { path, known } of addresses()) {
      for (const method of [...all, 'TRACE'].filter(each => !known.includes(each))) {
        const { status, headers, text } = await send(method, pathOf(path))
        const allowed = methodsIn(headers.allow)
        const isRight =
          status === 405 &&
          headers['content-type'] === 'application/problem+json; charset=utf-8' &&
          allowed.join() === [...known, 'OPTIONS'].toSorted().join()
        if (!isRight) wrong.push(`${method} ${path}: ${status} ${headers.allow} ${text}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it.each(['/healthz', '/docs', '/redoc', '/openapi.json', '/problems/order/not-found'])(
    'is refused at %s, too',
    async path => {
      const { status, headers } = await send('POST', path)
      expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: 'GET, HEAD, OPTIONS' })
    },
  )

  it('says so whatever the body is', async () => {
    const { body, headers } = await app.anyone.put('/orders', '<a/>', {
      headers: { 'content-type': 'application/xml' },
    })
    expect(headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS')
    expect(body).toMatchObject({ type: '/problems/request/method-not-allowed', status: 405 })
  })

  it.each(['TRACE', 'PROPFIND', 'MKCOL', 'PURGE', 'SUBSCRIBE'])(
    'is refused everywhere when nothing here has it: %s',
    async method => {
      for (const path of ['/api/orders', '/nowhere', '/']) {
        const answer = await send(method, path, { 'x-secret': 'told-to-you-alone' })
        expect(answer.status, path).toBe(405)
        expect(answer.headers.allow).toContain('GET')
        // TRACE would send back what a script must not see.
        expect(answer.text).not.toContain('told-to-you-alone')
      }
    },
  )

  it('is no reason to say 405 where nothing is', async () => {
    for (const method of all) expect((await send(method, '/api/nothing')).status).toBe(404)
  })
})

describe('HEAD', () => {
  it('answers as GET does, without the body', async () => {
    const { id: productId, position } = await newProduct(app)
    const paths = [
      `/api/products/${productId}?minPosition=${position}`,
      '/api/products?pageSize=3',
      '/api/categories',
      '/openapi.json',
      '/redoc',
      '/healthz',
    ]
    for (const path of paths) {
      const [head, get] = [await send('HEAD', path), await send('GET', path)]
      expect(head.status, path).toBe(200)
      expect(head.text).toBe('')
      expect(stable(head.headers)).toEqual(stable(get.headers))
      expect(Number(head.headers['content-length']), path).toBe(Buffer.byteLength(get.text))
    }
  })

  it('asks for a token where GET does, and hides what GET hides', async () => {
    expect((await send('HEAD', '/api/orders')).status).toBe(401)
    const { access } = await app.person()
    const headers = { authorization: `Bearer ${access}` }
    expect((await send('HEAD', '/api/orders', headers)).status).toBe(200)
    expect((await send('HEAD', `/api/orders/${id}`, headers)).status).toBe(404)
    expect((await send('HEAD', '/api/admin/users', headers)).status).toBe(403)
  })

  it('does not wait for a stream that never ends', async () => {
    const { access } = await app.person()
    const headers = { authorization: `Bearer ${access}` }
    const { status } = await send('HEAD', '/api/orders/notifications', headers)
    expect(status).toBe(405)
  })
})

/** Without what differs from one request to the next. */
function stable(headers: Plain['headers']) {
  const { date, connection, 'x-request-id': requestId, ...rest } = headers
  expect([date, connection, requestId]).not.toContain(undefined)
  return rest
}

describe('OPTIONS', () => {
  const ask = { origin, 'access-control-request-method': 'PATCH' }

  it('lets a known origin go ahead, and says with what', async () => {
    const { status, headers, text } = await send('OPTIONS', '/api/orders', ask)
    expect({ status, text }).toEqual({ status: 204, text: '' })
    expect(headers['access-control-allow-origin']).toBe(origin)
    expect(methodsIn(headers['access-control-allow-methods'])).toEqual(all.toSorted())
  })

  it('does not let another origin', async () => {
    const other = { ...ask, origin: 'https://elsewhere.example.com' }
    const { headers } = await send('OPTIONS', '/api/orders', other)
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  it('is no mistake when no browser asks', async () => {
    const { status, headers } = await send('OPTIONS', '/api/orders')
    expect(status).toBe(204)
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  it('keeps the refusal of a method readable for a known origin', async () => {
    const { status, headers } = await send('DELETE', '/api/orders', { origin })
    expect(status).toBe(405)
    expect(headers['access-control-allow-origin']).toBe(origin)
  })
})
