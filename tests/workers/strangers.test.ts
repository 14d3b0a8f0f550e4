// Mails to an address that nobody has confirmed: few, and not a word of whoever has entered it.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { confirmAddress, mailsTo } from '../support/accountMails.ts'
import { delivery, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const perDay = 5
const words = 'visit-evil-example'
let app: TestApp
let productId = ''
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMITS: 'on' } })
  productId = (await newProduct(app, { stock: 100, name: 'Lantern' })).id
})
afterAll(() => app?.close())

it('30 orders mail a stranger five times a day, until the address is confirmed', async () => {
  const person = await app.person()
  const { client, email } = person
  await client.patch('/auth/profile', { firstName: words, lastName: words })
  for (let order = 0; order < 30; order += 1) {
    const { body, status } = await client.post('/orders', {
      ...delivery,
      shippingAddress: `${words} 1`,
      items: [{ productId, quantity: 1 }],
    })
    expect(status).toBe(201)
    await client.post(`/orders/${body.orderId}/cancel`, { reason: words })
  }
  const waiting = async () => {
    const { rows } = await app.back.pool.query<{ limited: number; open: number }>(
      `select count(*) filter (where last_error = 'RECIPIENT_LIMIT')::integer as limited,
        count(*) filter (where last_error is null and state = 'due')::integer as open
      from shop.mails`,
    )
    return rows[0]
  }
  await waitFor(
    'the limit',
    async () => {
      const { limited = 0, open = 1 } = (await waiting()) ?? {}
      return open === 0 && limited >= 50
    },
    40_000,
  )
  const mails = await mailsTo(app, person, '')
  expect(mails).toHaveLength(perDay)
  for (const { raw, text, html } of mails) expect(raw + text + html).not.toContain(words)
  expect(mails.some(({ text }) => text.includes('Lantern'))).toBe(true)
  await confirmAddress(app, email)
  await app.back.pool.query(`update shop.mails set due_at = now() where state = 'due'`)
  await waitFor(
    'the name',
    async () => {
      return (await mailsTo(app, person, '')).some(({ text }) => text.includes(`Hello ${words}`))
    },
    20_000,
  )
}, 90_000)
