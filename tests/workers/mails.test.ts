// Mails about orders: one an event and template, to the right person, whatever breaks on the way.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import type { AppEvent } from '../../src/domain/index.ts'
import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { startMailCatcher } from '../../tools/local/mailCatcher.ts'
import { atRest, findings, wholeLog } from '../support/auditing.ts'
import { type Caught, caughtMails } from '../support/caughtMails.ts'
import { moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { letRunOut } from '../support/payments.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let productId = ''
beforeAll(async () => {
  app = await startTestApp()
  productId = (await newProduct(app, { stock: 10_000, name: 'Lantern & <Co>' })).id
})
afterAll(() => app?.close())

async function mailsAbout(orderNumber: unknown, folder = app.mailFolder): Promise<Caught[]> {
  const all = await caughtMails(folder)
  return all.filter(({ subject }) => subject.includes(String(orderNumber)))
}

/** An order that is paid and shipped: three mails. */
async function shippedOrder(person: Person) {
  const { orderId, orderNumber } = (await newOrder(person, productId)).body
  await person.client.post(`/orders/${orderId}/pay`)
  await moveOrder(app, orderId, 'shipped')
  return { orderId, orderNumber }
}

describe('an order that is placed, paid and shipped', () => {
  it('gives one mail each, to its customer, with an id that follows from the event', async () => {
    const person = await app.person()
    const { orderId, orderNumber } = await shippedOrder(person)
    await atRest(app.back)
    const mails = await mailsAbout(orderNumber)
    expect(mails.map(({ subject }) => subject)).toEqual([
      `We have your order: order ${orderNumber}`,
      `Payment received: order ${orderNumber}`,
      `On its way: order ${orderNumber}`,
    ])
    for (const mail of mails) {
      expect(mail.deliveredTo).toEqual([person.email])
      expect(mail.text).toContain('1 × Lantern & <Co>: 4.25 GBP')
      expect(mail.html).toContain('Lantern &amp; &lt;Co&gt;')
    }
    const events = (await wholeLog(app.back)).filter(({ stream }) => stream === `order-${orderId}`)
    const idOf = (type: string) => events.find(event => event.type === type)?.id
    expect(mails.map(({ messageId }) => messageId)).toEqual([
      `${idOf('OrderPlaced')}.order-placed@example.com`,
      `${idOf('OrderPaid')}.order-paid@example.com`,
      `${idOf('OrderShipped')}.order-shipped@example.com`,
    ])
  })

  it('is written about once more when it is delivered, or cancelled and paid back', async () => {
    const person = await app.person()
    const first = await shippedOrder(person)
    await moveOrder(app, first.orderId, 'delivered')
    const second = (await newOrder(person, productId)).body
    await person.client.post(`/orders/${second.orderId}/pay`)
    await person.client.post(`/orders/${second.orderId}/cancel`)
    await atRest(app.back)
    const subjects = async (orderNumber: string) =>
      (await mailsAbout(orderNumber)).map(({ subject }) => subject.split(':')[0]).sort()
    expect(await subjects(first.orderNumber)).toContain('Delivered')
    const expected = ['Cancelled', 'Payment received', 'Refund', 'We have your order']
    expect(await subjects(second.orderNumber)).toEqual(expected)
  })
})

describe('an order of 0.00', () => {
  it('is written about without a payment that was received', async () => {
    const person = await app.person()
    const gift = await newProduct(app, { price: { amount: 0, currency: 'GBP' } })
    const { orderId, orderNumber } = (await newOrder(person, gift.id)).body
    await person.client.post(`/orders/${orderId}/pay`)
    await moveOrder(app, orderId, 'shipped')
    await waitFor('the last mail', async () => (await mailsAbout(orderNumber)).length === 2)
    await atRest(app.back)
    expect((await mailsAbout(orderNumber)).map(({ subject }) => subject)).toEqual([
      `We have your order: order ${orderNumber}`,
      `On its way: order ${orderNumber}`,
    ])
  })
})

describe('the link of a mail', () => {
  it('leads to a page that says how to see the order, whoever opens it', async () => {
    const person = await app.person()
    const { orderId, orderNumber } = (await newOrder(person, productId)).body
    await atRest(app.back)
    const [mail] = await mailsAbout(orderNumber)
    const link = `${app.url}/orders/${orderId}`
    expect(mail?.text).toContain(`Your order: ${link}`)
    expect(mail?.html).toContain(`<a href="${link}">`)
    const page = await fetch(link)
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ])
    const policy = page.headers.get('content-security-policy')
    expect(policy).toContain("script-src 'self'")
    const html = await page.text()
    expect(html).toContain('sign in')
    expect(html).not.toMatch(/<script|\son\w+=|https?:/)
    expect(await (await fetch(`${app.url}/orders/no-such-order`)).text()).toBe(html)
  })
})

describe('an order that nobody has paid', () => {
  it('is written about when it has run out, as text and as HTML', async () => {
    const person = await app.person()
    const { orderId, orderNumber } = (await newOrder(person, productId)).body
    await letRunOut(app, orderId)
    const mail = await waitFor('the mail', async () =>
      (await mailsAbout(orderNumber)).find(({ subject }) => subject.startsWith('Not paid in time')),
    )
    expect(mail.deliveredTo).toEqual([person.email])
    expect(mail.text).toContain('Your order was not paid in time')
    expect(mail.html).toContain('<p>Your order was not paid in time')
    expect(mail.html).toContain('Lantern &amp; &lt;Co&gt;')
  })
})

describe('what customers call themselves', () => {
  it.each([
    ['HTML', '<img src=x onerror=alert(1)>'],
    ['a header of its own', 'Subject: free money'],
    ['letters of everywhere', 'Zoë 李 \u202eevil'],
  ])('with %s in it changes nothing but the greeting', async (_, firstName) => {
    const person = await app.person()
    const changed = await person.client.patch('/auth/profile', { firstName })
    expect(changed.status).toBe(200)
    const { orderNumber } = (await newOrder(person, productId)).body
    await atRest(app.back)
    const [mail, ...more] = await mailsAbout(orderNumber)
    expect(more).toEqual([])
    expect(mail?.deliveredTo).toEqual([person.email])
    expect(mail?.subject).toBe(`We have your order: order ${orderNumber}`)
    const head = mail?.raw.split('\r\n\r\n')[0] ?? ''
    expect(head).not.toMatch(/^(Bcc|Cc):/im)
    expect(head.match(/^Subject:/gim)).toHaveLength(1)
    expect(mail?.html).not.toContain('<img')
  })
})

describe('history that was brought in from elsewhere', () => {
  it('is nobody’s news', async () => {
    const person = await app.person()
    const { orderId, orderNumber } = (await newOrder(person, productId)).body
    const event: AppEvent = { type: 'OrderShipped', data: { orderId, tracking: null } }
    const envelope = { ...systemEnvelope('test', new Date()), source: 'ledger' }
    const encoded = await app.back.codec.encode(event, randomUUID(), envelope)
    await app.back.eventStore.append(`order-${orderId}`, 'any', [encoded])
    const { orderNumber: later } = await shippedOrder(person)
    await waitFor('the mails of a later order', async () => (await mailsAbout(later)).length === 3)
    expect(await mailsAbout(orderNumber)).toHaveLength(1)
  })
})

describe('when Redis forgets everything', () => {
  it('every mail still goes out, once', async () => {
    const redis = new Redis(app.config.redisUrl.reveal())
    const person = await app.person()
    const numbers: unknown[] = []
    for (let order = 0; order < 10; order += 1) {
      numbers.push((await newOrder(person, productId)).body.orderNumber)
      if (order % 3 === 0) await redis.flushdb()
    }
    await atRest(app.back, 12_000)
    // The job of another one still waits when it is lost.
    const queue = new Queue('mails', { connection: redis })
    await queue.pause()
    numbers.push((await newOrder(person, productId)).body.orderNumber)
    await waitFor('its job', async () => (await queue.count()) > 0)
    await redis.flushdb()
    await queue.close()
    redis.disconnect()
    await atRest(app.back, 12_000)
    for (const number of numbers) {
      const mails = await mailsAbout(number)
      expect(mails.length).toBeGreaterThanOrEqual(1)
      expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(1)
    }
  })
})

describe('when the shop is restarted', () => {
  it('no mail is repeated', async () => {
    const before = (await caughtMails(app.mailFolder)).length
    await app.restart()
    const person = await app.person()
    const { orderNumber } = await shippedOrder(person)
    await atRest(app.back)
    expect(await mailsAbout(orderNumber)).toHaveLength(3)
    // The one that asks to confirm the address is the fourth.
    expect(await caughtMails(app.mailFolder)).toHaveLength(before + 4)
  })

  it('and has to read the log again from the start, neither', async () => {
    const before = await caughtMails(app.mailFolder)
    await app.stop()
    await app.back.pool.query(`update shop.checkpoints set position = 0 where name = 'mailOutbox'`)
    await app.restart()
    const person = await app.person()
    const { orderNumber } = await shippedOrder(person)
    await atRest(app.back)
    expect(await mailsAbout(orderNumber)).toHaveLength(3)
    expect(await caughtMails(app.mailFolder)).toHaveLength(before.length + 4)
  })
})

describe('a mail that cannot be written', () => {
  it('keeps none of those beside it from going out', async () => {
    const { pool } = app.back
    const eventId = randomUUID()
    const person = await app.person()
    await pool.query(
      `insert into shop.mails (event_id, template, order_id, queued_at)
        values ($1, 'order-paid', $2, '-infinity')`,
      [eventId, randomUUID()],
    )
    const { orderNumber } = await shippedOrder(person)
    await waitFor('the others', async () => (await mailsAbout(orderNumber)).length === 3)
    const failed = await waitFor('a failed attempt', async () => {
      const { rows } = await pool.query<{ last_error: string | null; sent_at: Date | null }>(
        'select last_error, sent_at from shop.mails where event_id = $1',
        [eventId],
      )
      return rows.find(row => row.last_error !== null)
    })
    expect(failed.sent_at).toBeNull()
    await pool.query('delete from shop.mails where event_id = $1', [eventId])
  })
})

describe('while the mail server is down', () => {
  it('orders go on, and their mails arrive once it is back', async () => {
    const directory = await temporaryDirectory()
    const port = await freePort()
    const offline = await startTestApp({ settings: { SMTP_URL: `smtp://127.0.0.1:${port}` } })
    try {
      const person = await offline.person()
      const product = await newProduct(offline)
      const { orderNumber } = (await newOrder(person, product.id)).body
      await waitFor('a failed attempt', async () => {
        const { rows } = await offline.back.pool.query(
          'select 1 from shop.mails where last_error is not null and sent_at is null',
        )
        return rows.length > 0
      })
      const catcher = await startMailCatcher({ directory, port })
      await atRest(offline.back)
      expect(await mailsAbout(orderNumber, `${directory}/mails`)).toHaveLength(1)
      await catcher.stop()
    } finally {
      await offline.close()
      await rm(directory, { recursive: true, force: true })
    }
  })
})

describe('the outbox', () => {
  it('agrees with the log', async () => {
    await atRest(app.back)
    const mails = (await findings(app.back)).filter(finding => finding.includes('mail'))
    expect(mails).toEqual([])
  })
})
