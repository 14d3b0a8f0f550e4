// Poison in every place of every route: declared answers, no 5xx, and no read model that stumbles.
import fc from 'fast-check'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation, Schema } from '../support/apiContract.ts'
import { valuesOf } from '../support/arbitrary.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import {
  expectNothingParked,
  type HostileRequest,
  sayHowToRepeat,
  sendAll,
  some,
} from '../support/hostile.ts'
import { jsonWith, placesOf, poisonJson, poisonParameters } from '../support/poison.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

/**
 * These end what the others need, never end by themselves, or hash a password each time: they are
 * in hostileFormats.test.ts.
 */
const spared =
  /^(followOrders|logOut|logIn|eraseProfile|endSession|ChangeUser|register|changePassword)$/

let app: TestApp
let ids: string[] = []
beforeAll(async () => {
  sayHowToRepeat()
  app = await startTestApp({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  const product = await newProduct(app, { stock: 100_000 })
  const order = await newOrder(app.admin, product.id)
  ids = [product.id, order.body.id, app.admin.id]
})
afterAll(() => app?.close())

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

/** A parameter as the bytes of a header, without those that no client can send. */
function bytesOf(text: string): string {
  const bytes = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  return bytes.replaceAll('\0', '').slice(0, 4_000)
}

interface Route {
  method: string
  path: string
  operation: Operation
}

function routes(): Route[] {
  return Object.entries(app.contract.document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        return { method: method.toUpperCase(), path, operation }
      }),
    )
    .filter(({ path, operation }) => {
      return !spared.test(operation.operationId ?? '') && !path.endsWith('/notifications')
    })
}

function inParameters({ method, path, operation }: Route): HostileRequest[] {
  const base = { name: `${method} ${path}`, method, operation }
  return (operation.parameters ?? []).flatMap(({ name, in: where }) =>
    some(poisonParameters).flatMap((text): HostileRequest[] => {
      if (where !== 'header') return [{ ...base, path: addressOf(path, operation, [name, text]) }]
      const value = bytesOf(text).trim()
      if (value === '') return []
      return [{ ...base, path: addressOf(path, operation), headers: { [name]: value } }]
    }),
  )
}

function inBody({ method, path, operation }: Route): HostileRequest[] {
  const base = { name: `${method} ${path}`, method, operation }
  const schema = operation.requestBody?.content['application/json']?.schema
  if (schema === undefined) return []
  const body = valid(schema)
  return placesOf(body).flatMap(place =>
    some(poisonJson).map(text => {
      return { ...base, path: addressOf(path, operation), body: jsonWith(body, place, text) }
    }),
  )
}

describe('poison', () => {
  it('in any parameter or field is answered as declared, and never with a 5xx', async () => {
    const all = routes().flatMap(route => [...inParameters(route), ...inBody(route)])
    expect(await sendAll(app, all)).toBeGreaterThan(1_000)
  }, 300_000)

  it('has left nothing in the log that a read model cannot handle', async () => {
    await expectNothingParked(app)
  }, 60_000)
})
