// Things to sell and ways to buy them, for tests that are about what happens then.
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Answer, Client } from './apiClient.ts'
import type { Person, TestApp } from './testApp.ts'

export const delivery = {
  shippingAddress: '1 High Street, Leeds',
  phoneNumber: '+44 113 000000',
}

export const gbp = (amount: number) => ({ amount, currency: 'GBP' })

let made = 0

/** A product of the shop; its id and the position from which it is visible. */
export async function newProduct(app: TestApp, details: Record<string, unknown> = {}) {
  made += 1
  const answer = await app.admin.client.post('/products', {
    name: `Lantern ${made}`,
    price: gbp(425),
    stock: 10,
    ...details,
  })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return { id: answer.body.id, position: answer.body.position, answer }
}

/** An order of one product, placed at once; pending. */
export async function newOrder(
  person: Pick<Person, 'client'>,
  productId: string,
  quantity = 1,
): Promise<Answer> {
  const answer = await person.client.post('/orders', {
    ...delivery,
    items: [{ productId, quantity }],
  })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer
}

/** Moves an order along as the staff does. */
export function moveOrder(app: TestApp, orderId: string, status: string): Promise<Answer> {
  return app.admin.client.patch(`/orders/${orderId}/status`, { status })
}

/** A request that is refused as declared: problem+json with everything that belongs in it. */
export function expectProblem(answer: Answer, status: number, code: string) {
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(answer.body).toMatchObject({
    type: `/problems/${code}`,
    title: expect.stringMatching(/\S/),
    status,
    detail: expect.stringMatching(/\S/),
    requestId: answer.headers.get('x-request-id'),
  })
  expect(answer.status).toBe(status)
  return answer.body
}

export const newKey = () => randomUUID()

/** The same request for as many as are asked, at the same time. */
export function atOnce<T>(times: number, ask: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => ask(index)))
}

export type { Client }
