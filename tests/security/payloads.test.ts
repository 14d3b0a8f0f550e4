// Payloads that try to break the reader of JSON: each is refused, and none is too much.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

describe('a payload', () => {
  const order = (extra: string) => `{"shippingAddress":"1 High Street","phoneNumber":"1"${extra}}`
  const post = (body: string, headers = {}) => app.admin.client.post('/orders', body, { headers })

  it.each([
    ['is nested ten thousand deep', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['reaches for the prototype', order(',"__proto__":{"admin":true}')],
    ['reaches for the constructor', order(',"constructor":{"prototype":{"admin":true}}')],
    ['has no number for a number', order(',"items":[{"productId":"x","quantity":NaN}]')],
    ['has a number beyond all numbers', order(',"items":[{"productId":"x","quantity":1e309}]')],
    ['is null', 'null'],
    ['is empty', ''],
    ['is half of one', order('').slice(0, 20)],
  ])('that %s is refused', async (_, body) => {
    expectProblem(await post(body), 400, 'request/invalid')
  })

  it('in another charset is read as what it is, or refused', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-16' }
    const { status } = await post(JSON.stringify(delivery), headers)
    expect([201, 400, 409, 415]).toContain(status)
  })

  it('may have 64 KiB, and not one byte more', async () => {
    const filler = (bytes: number) => order(`,"x":"${'x'.repeat(bytes)}"`)
    const fits = filler(64 * 1024 - filler(0).length)
    expectProblem(await post(fits), 400, 'request/invalid')
    expectProblem(await post(`${fits} `), 413, 'request/too-large')
  })
})
