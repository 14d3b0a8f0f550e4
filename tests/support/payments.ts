// The payment provider's side of tests: orders that run out, callbacks that are signed.
import { randomUUID } from 'node:crypto'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { signCallback } from '../../src/infra/payments/simulatedCallbacks.ts'
import type { Answer } from './apiClient.ts'
import type { TestApp } from './testApp.ts'

/** Moves the time until which an order waits into the past: nobody has to wait for it. */
export async function letRunOut(app: TestApp, orderId: string): Promise<void> {
  const expiresAt = Date.now() - 1
  await app.back.app.orders.decide(orderId, systemEnvelope('test', new Date()), () => [
    { type: 'PaymentDeadlineSet', data: { orderId, expiresAt } },
  ])
}

/** The order as its stream has it. */
export async function orderOf(app: TestApp, orderId: string) {
  const { state } = await app.back.app.orders.load(orderId)
  if (state.status === 'none') throw new Error(`there is no order ${orderId}`)
  return state
}

export interface CallbackOptions {
  id?: string
  signedAt?: Date
  signature?: string
}

/** Calls the shop back as the simulated provider does. */
export function callBack(
  app: TestApp,
  content: { type: string; orderId: string; [field: string]: unknown },
  { id = randomUUID(), signedAt = new Date(), signature }: CallbackOptions = {},
): Promise<Answer> {
  const body = JSON.stringify({ id, ...content })
  const key = createSecrets(app.config.secretKey).key('payment-callbacks')
  const headers = { 'payment-signature': signature ?? signCallback(key, body, signedAt) }
  return app.anyone.post('/webhooks/payments/simulated', body, { headers })
}
