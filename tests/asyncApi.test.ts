// docs/asyncapi.yaml is an AsyncAPI document, and its check of messages refuses what is undeclared.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { assertDeclared, asyncApi } from './support/asyncApi.ts'

const specification = createRequire(import.meta.url).resolve(
  '@asyncapi/specs/schemas/3.0.0-without-$id.json',
)
const isAsyncApi = new Ajv({ strict: false, validateFormats: false }).compile(
  JSON.parse(await readFile(specification, 'utf8')),
)

describe('docs/asyncapi.yaml', () => {
  it('is valid by the JSON Schema of AsyncAPI 3.0', () => {
    expect(isAsyncApi(asyncApi), JSON.stringify(isAsyncApi.errors)).toBe(true)
    expect(isAsyncApi({ ...asyncApi, channels: { one: { address: 1 } } })).toBe(false)
  })

  it('has every message in a channel and in an operation', () => {
    const declared = Object.keys(asyncApi.components.messages)
    const used = (part: object) =>
      declared.filter(name => JSON.stringify(part).includes(`/messages/${name}"`))
    expect(used(asyncApi.channels)).toEqual(declared)
    expect(used(asyncApi.operations)).toEqual(declared)
  })
})

describe('a message', () => {
  it.each([
    ['pong', { type: 'pong' }],
    ['order.payment_failed', undefined],
  ])('such as %s is checked', (name, message) => {
    const check = () => assertDeclared(name, 'payload', message)
    if (message === undefined) expect(check).toThrow(`${name} is not as docs/asyncapi.yaml says`)
    else expect(check).not.toThrow()
  })

  it('that is not declared, or has a field too many, is refused', () => {
    expect(() => assertDeclared('news', 'payload', {})).toThrow('has no message news')
    const more = { type: 'pong', at: 1 }
    expect(() => assertDeclared('pong', 'payload', more)).toThrow('additional properties')
  })
})
