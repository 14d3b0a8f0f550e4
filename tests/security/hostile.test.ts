// Poison in every place of every route: declared answers, no 5xx, and no read model that stumbles.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation, Schema } from '../support/apiContract.ts'
import { valuesOf } from '../support/arbitrary.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { jsonWith, placesOf, poisonJson, poisonParameters } from '../support/poison.ts'
import { startTestShop, type TestShop } from '../support/testShop.ts'
import { waitFor } from '../support/waitFor.ts'

/** These end what the others need, never end by themselves, or hash a password each time. */
const spared =
  /^(followOrders|logOut|logIn|eraseProfile|endSession|ChangeUser|register|changePassword)$/
const atOnce = 8

interface Request {
  name: string
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
  operation: Operation
}

let shop: TestShop
let ids: string[] = []
beforeAll(async () => {
  shop = await startTestShop({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  const product = await newProduct(shop, { stock: 100_000 })
  const order = await newOrder(shop.admin, product.id)
  ids = [product.id, order.body.id, shop.admin.id]
})
afterAll(() => shop?.close())

/** A value that fits a schema, always the same one; text where nothing is known to fit. */
function valid(schema: Schema): unknown {
  try {
    const [value] = fc.sample(valuesOf(Type.Unsafe<unknown>({ ...schema }), { ids }), {
      numRuns: 1,
      seed: 7,
    })
    return value
  } catch {
    return 'x'
  }
}

function addressOf(path: string, operation: Operation, poisoned?: [name: string, text: string]) {
  const [name, text] = poisoned ?? []
  const address = path.replace(/\{(\w+)\}/g, (_, parameter: string) => {
    if (parameter === name && text !== undefined) return text
    const known = operation.parameters?.find(each => each.name === parameter)
    return encodeURIComponent(String(valid(known?.schema ?? {})))
  })
  const isInPath = path.includes(`{${name}}`)
  return name === undefined || isInPath ? address : `${address}?${name}=${text}`
}

let turn = 0

/** Half of them, the other half the next time: all places together see all of them often. */
function everySecond<Item>(items: readonly Item[]): Item[] {
  turn += 1
  return items.filter((_, index) => (index + turn) % 2 === 0)
}

/** A parameter as the bytes of a header, without those that no client can send. */
function bytesOf(text: string): string {
  const bytes = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  return bytes.replaceAll('\0', '').slice(0, 4_000)
}

function* requests(): Generator<Request> {
  for (const [path, methods] of Object.entries(shop.contract.document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (spared.test(operation.operationId ?? '') || path.endsWith('/notifications')) continue
      const base = { name: `${method} ${path}`, method: method.toUpperCase(), operation }
      for (const { name, in: where } of operation.parameters ?? []) {
        for (const text of everySecond(poisonParameters)) {
          if (where === 'header') {
            const value = bytesOf(text).trim()
            if (value !== '')
              yield { ...base, path: addressOf(path, operation), headers: { [name]: value } }
          } else yield { ...base, path: addressOf(path, operation, [name, text]) }
        }
      }
      const schema = operation.requestBody?.content['application/json']?.schema
      if (schema === undefined) continue
      const body = valid(schema)
      for (const place of placesOf(body)) {
        for (const text of everySecond(poisonJson)) {
          const json = jsonWith(body, place, text)
          yield { ...base, path: addressOf(path, operation), body: json }
        }
      }
    }
  }
}

async function faultOf({ name, method, path, headers, body, operation }: Request) {
  const isRead = method === 'GET'
  const response = await fetch(shop.url + path, {
    method,
    headers: {
      authorization: `Bearer ${shop.admin.access}`,
      'idempotency-key': randomUUID(),
      ...(isRead ? {} : { 'if-match': '*' }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(20_000),
  })
  const text = await response.text()
  const { status } = response
  const type = response.headers.get('content-type')
  const isDeclared = status === 405 || status === 304 || String(status) in operation.responses
  const isProblem = status < 400 || type === 'application/problem+json; charset=utf-8'
  if (status < 500 && isDeclared && isProblem) return undefined
  const sent = `${path.slice(0, 150)} ${JSON.stringify(headers ?? '')} ${body?.slice(0, 150) ?? ''}`
  return `${name} → ${status} ${type} for ${sent}: ${text.slice(0, 150)}`
}

describe('poison', () => {
  it('in any parameter or field is answered as declared, and never with a 5xx', async () => {
    const all = requests()
    const faults: string[] = []
    let count = 0
    const send = async () => {
      for (const request of all) {
        count += 1
        const fault = await faultOf(request)
        if (fault !== undefined) faults.push(fault)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, send))
    expect(faults.slice(0, 20)).toEqual([])
    expect(count).toBeGreaterThan(2_000)
  }, 300_000)

  it('has left nothing in the log that a read model cannot handle', async () => {
    const head = await shop.back.eventStore.head()
    await waitFor('all read models', async () => {
      const { rows } = await shop.back.pool.query<{ least: bigint }>(
        'select min(position) as least from shop.checkpoints',
      )
      return BigInt(rows[0]?.least ?? 0) >= head
    })
    const { rows } = await shop.back.pool.query('select name, type, error from shop.parked_events')
    expect(rows).toEqual([])
  }, 60_000)
})
