// Requests that reach no route, or are no HTTP, are refused in the same form as everything else.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ workers: false })
})
afterAll(() => app?.close())

/** Sends bytes as they are; what came back until the other side ended. */
async function exchange(bytes: string | Buffer) {
  const { hostname, port } = new URL(app.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', chunk => {
    text += String(chunk)
  })
  socket.write(bytes)
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Map(
    lines.map(line => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 2),
    ]),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, problem: JSON.parse(body) }
}

const request = (line: string, ...headers: string[]) =>
  [line, 'Host: shop.example', 'Connection: close', ...headers, '', ''].join('\r\n')

const upgrade = 'Connection: Upgrade'
const ws = ['Upgrade: websocket', upgrade, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: a']

it('a WebSocket that is not well-formed is refused with a problem, too', async () => {
  const headers = [`Authorization: Bearer ${app.admin.access}`, ...ws]
  const answer = await exchange(request('GET /ws/orders/notifications HTTP/1.1', ...headers))
  expect(answer.status).toBe(400)
  expect(answer.problem.type).toBe('/problems/request/invalid')
})

describe('a request that reaches no route', () => {
  it.each([
    ['an address that is not UTF-8', request('GET /api/products/%C0%AF HTTP/1.1'), 400, 'invalid'],
    ['half an escape', request('GET /api/products/%e HTTP/1.1'), 400, 'invalid'],
    ['the same outside the API', request('GET /console/%ff HTTP/1.1'), 400, 'invalid'],
    ['NUL in a path', request('GET /nowhere/%00 HTTP/1.1'), 404, 'not-found'],
    ['a method nobody knows', request('BREW /api/products HTTP/1.1'), 405, 'method-not-allowed'],
    ['a method of others', request('PROPFIND /api/products HTTP/1.1'), 405, 'method-not-allowed'],
    ['no HTTP', 'hello\r\n\r\n', 405, 'method-not-allowed'],
    ['no version', request('GET /api/products HTTP/9.9'), 400, 'invalid'],
    ['a header without a name', request('GET / HTTP/1.1', ': x'), 400, 'invalid'],
    [
      'NUL in a header',
      request('GET /api/products HTTP/1.1', 'X-Min-Position: \0'),
      400,
      'invalid',
    ],
    [
      'two lengths',
      request('POST / HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2'),
      400,
      'invalid',
    ],
    [
      '20 KiB of headers',
      request('GET / HTTP/1.1', `X-A: ${'a'.repeat(20_000)}`),
      431,
      'headers-too-large',
    ],
    [
      'an address of 20 KiB',
      request(`GET /${'a'.repeat(20_000)} HTTP/1.1`),
      431,
      'headers-too-large',
    ],
    [
      'an unknown type',
      request('POST /api/auth/login HTTP/1.1', 'Content-Type: a/b', 'Content-Length: 0'),
      415,
      'unsupported',
    ],
    [
      'no type at all',
      request('POST /api/auth/login HTTP/1.1', 'Content-Type: ;', 'Content-Length: 0'),
      415,
      'unsupported',
    ],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'invalid'],
    ['a proxy', request('CONNECT example.com:443 HTTP/1.1'), 405, 'method-not-allowed'],
    ['an expectation', request('GET /nowhere HTTP/1.1', 'Expect: 200-maybe'), 404, 'not-found'],
    [
      'a WebSocket where there is none',
      request('GET /api/products HTTP/1.1', ...ws),
      400,
      'invalid',
    ],
    ['another upgrade', request('GET / HTTP/1.1', 'Upgrade: h2c', upgrade), 400, 'invalid'],
    ...['Authorization', 'Content-Type', 'Host', 'Idempotency-Key', 'X-Cart-Token'].map(
      (name): [string, string, number, string] => [
        `two of ${name}`,
        request('GET /api/products HTTP/1.1', `${name}: a`, `${name.toLowerCase()}: b`),
        400,
        'invalid',
      ],
    ),
    [
      'a body of 10 MB',
      request(
        'POST /api/auth/login HTTP/1.1',
        'Content-Type: application/json',
        'Content-Length: 10000000',
      ),
      413,
      'too-large',
    ],
  ])('such as %s is answered with a problem', async (_, bytes, status, code) => {
    const answer = await exchange(bytes)
    expect(answer.problem).toMatchObject({
      type: `/problems/request/${code}`,
      title: expect.stringMatching(/\S/),
      status,
      detail: expect.stringMatching(/\S/),
      requestId: answer.headers.get('x-request-id'),
    })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('content-security-policy')).toMatch(/default-src/)
  })
})

describe('a body of 10 MB that is refused before it has come', () => {
  const json = 'Content-Type: application/json'
  const body = Buffer.alloc(10_000_000, 'x')
  const big = (line: string, ...headers: string[]) => {
    const head = request(line, ...headers, `Content-Length: ${body.length}`)
    return Buffer.concat([Buffer.from(head), body])
  }

  it.each([
    ['too large', big('POST /api/auth/login HTTP/1.1', json), 413, 'too-large'],
    ['of nobody', big('POST /api/orders HTTP/1.1', json), 401, 'unauthenticated'],
    ['of a wrong type', big('POST /api/auth/login HTTP/1.1'), 415, 'unsupported'],
    ['to nowhere', big('DELETE /nowhere HTTP/1.1'), 404, 'not-found'],
    ['to no address', big('POST /api/%C0%AF HTTP/1.1', json), 400, 'invalid'],
    ['of a strange method', big('BREW /api/products HTTP/1.1', json), 405, 'method-not-allowed'],
    [
      'in pieces',
      Buffer.concat([
        Buffer.from(request('POST /api/orders HTTP/1.1', json, 'Transfer-Encoding: chunked')),
        Buffer.from(`${body.length.toString(16)}\r\n`),
        body,
        Buffer.from('\r\n0\r\n\r\n'),
      ]),
      401,
      'unauthenticated',
    ],
  ])('%s: the answer arrives, though the connection ends', async (_, bytes, status, code) => {
    const answer = await exchange(bytes)
    expect(answer.status).toBe(status)
    expect(answer.problem.type).toBe(`/problems/request/${code}`)
  })
})
