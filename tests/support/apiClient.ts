// A client of the API over real HTTP that checks each answer: never a 5xx, always as declared.

import { randomUUID } from 'node:crypto'
import type { Position } from '../../src/kit/position.ts'
import type { Contract } from './apiContract.ts'

/** What answers hold, as far as tests reach into them; each answer is checked by its schema. */
export interface Body {
  id: string
  orderId: string
  orderNumber: string
  position: string
  revision: number
  status: string | number
  type: string
  title: string
  detail: string
  requestId: string
  errors: { pointer: string; detail: string }[]
  data: Record<string, unknown>[]
  total: number
  [field: string]: unknown
}

export interface Answer {
  status: number
  headers: Headers
  body: Body
}

export interface Wanted {
  /** Idempotency-Key. Where a route wants one, every request gets its own; null: none at all. */
  key?: string | null
  /** X-Min-Position */
  after?: string | Position
  /** Where a route wants one, any version will do; null: none at all. */
  ifMatch?: string | null
  ifNoneMatch?: string
  headers?: Record<string, string>
  /** This one 5xx is what the test is about. */
  expects?: number
}

export interface Client {
  get(path: string, wanted?: Wanted): Promise<Answer>
  post(path: string, body?: unknown, wanted?: Wanted): Promise<Answer>
  put(path: string, body?: unknown, wanted?: Wanted): Promise<Answer>
  patch(path: string, body?: unknown, wanted?: Wanted): Promise<Answer>
  delete(path: string, body?: unknown, wanted?: Wanted): Promise<Answer>
}

/** A client for one token, or for nobody. Paths without a leading /api get it. */
export function createClient(url: string, contract: Contract, token?: string): Client {
  const send = async (method: string, path: string, body: unknown, wanted: Wanted = {}) => {
    const target = path.startsWith('//') ? path.slice(1) : `/api${path}`
    const [bare = ''] = target.split('?')
    const wants = (header: string) => contract.requires(method, bare, header)
    const key = wants('idempotency-key') ? randomUUID() : null
    const ifMatch = wants('if-match') ? '*' : null
    const response = await fetch(`${url}${target}`, {
      method,
      headers: headersOf(token, body, { key, ifMatch, ...wanted }),
      ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const contentType = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
    // Lines of JSON are no JSON.
    const parsed = /[/+]json$/.test(contentType) ? JSON.parse(text) : text
    const { status, headers } = response
    if (status >= 500 && status !== wanted.expects) {
      throw new Error(`${method} ${path} → ${status}: ${text}`)
    }
    contract.check({ method, path: bare, status, contentType, body: parsed })
    return { status, headers, body: parsed }
  }
  return {
    get: (path, wanted) => send('GET', path, undefined, wanted),
    post: (path, body, wanted) => send('POST', path, body, wanted),
    put: (path, body, wanted) => send('PUT', path, body, wanted),
    patch: (path, body, wanted) => send('PATCH', path, body, wanted),
    delete: (path, body, wanted) => send('DELETE', path, body, wanted),
  }
}

function isRaw(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === 'string' || body instanceof Uint8Array
}

function headersOf(token: string | undefined, body: unknown, wanted: Wanted) {
  return {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(wanted.key ? { 'idempotency-key': wanted.key } : {}),
    ...(wanted.after === undefined ? {} : { 'x-min-position': String(wanted.after) }),
    ...(wanted.ifMatch ? { 'if-match': wanted.ifMatch } : {}),
    ...(wanted.ifNoneMatch === undefined ? {} : { 'if-none-match': wanted.ifNoneMatch }),
    ...wanted.headers,
  }
}
