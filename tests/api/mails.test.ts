// The queue of mails over HTTP: what could not be delivered, trying it again, giving it up.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { type ScriptedMailServer, scriptedMailServer } from '../support/mailServer.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let server: ScriptedMailServer
let refused = (_: string) => false
let productId = ''
beforeAll(async () => {
  server = await scriptedMailServer({
    refuse: address => (refused(address) ? 550 : undefined),
  })
  app = await startTestApp({ settings: { SMTP_URL: server.url } })
  productId = (await newProduct(app, { stock: 100 })).id
})
afterAll(async () => {
  await app?.close()
  await server?.stop()
})

/** What somebody got about orders; the mail that confirms their address may come between. */
const takenBy = ({ email }: Person) =>
  server.taken.filter(({ to, raw }) => to === email && raw.includes('.order-placed@'))

/** An order whose mail the server has refused. */
async function refusedOrder() {
  const person = await app.person()
  refused = address => address === person.email
  const { orderId, orderNumber } = (await newOrder(person, productId)).body
  const mail = await waitFor('the mail that is undeliverable', async () => {
    const { body } = await app.admin.client.get('/admin/mails?state=undeliverable')
    return body.data.find(each => each.orderId === orderId)
  })
  return { person, orderId, orderNumber, mail }
}

describe('a mail that the server refuses', () => {
  it('is listed with its order and a code, and nothing personal', async () => {
    const { person, orderId, orderNumber, mail } = await refusedOrder()
    expect(mail).toEqual({
      id: expect.any(String),
      template: 'order-placed',
      state: 'undeliverable',
      orderId,
      orderNumber,
      customerId: person.id,
      attempts: 1,
      lastError: 'SMTP 550 5.1.1',
      queuedAt: expect.any(String),
      nextAttemptAt: null,
      sentAt: null,
    })
  })

  it('goes out when an admin tries it again', async () => {
    const { person, mail } = await refusedOrder()
    refused = () => false
    const answer = await app.admin.client.post(`/admin/mails/${mail.id}/retry`)
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ id: mail.id, attempts: 0 })
    await waitFor('the mail', () => takenBy(person).length === 1)
    const sent = await waitFor('its end', async () => {
      const { body } = await app.admin.client.get('/admin/mails?state=sent&pageSize=100')
      return body.data.find(each => each.id === mail.id)
    })
    expect(sent).toMatchObject({ state: 'sent', sentAt: expect.any(String) })
    for (const verb of ['retry', 'drop']) {
      const late = await app.admin.client.post(`/admin/mails/${mail.id}/${verb}`)
      expectProblem(late, 409, 'mail/sent')
    }
  })

  it('is given up when an admin drops it', async () => {
    const { person, mail } = await refusedOrder()
    const answer = await app.admin.client.post(`/admin/mails/${mail.id}/drop`)
    expect(answer.body).toMatchObject({ id: mail.id, state: 'dropped' })
    refused = () => false
    const { orderId } = (await newOrder(person, productId)).body
    await waitFor('the next mail', () => takenBy(person).length === 1)
    const { body } = await app.admin.client.get('/admin/mails?state=dropped')
    expect(body.data.map(each => each.id)).toContain(mail.id)
    expect(body.data.map(each => each.orderId)).not.toContain(orderId)
  })
})

describe('the list', () => {
  it('comes in parts, the newest first', async () => {
    const person = await app.person()
    for (let order = 0; order < 3; order += 1) await newOrder(person, productId)
    await waitFor('the mails', () => takenBy(person).length === 3)
    const path = '/admin/mails'
    const first = (await app.admin.client.get(`${path}?limit=2`)).body
    const second = (await app.admin.client.get(`${path}?limit=2&cursor=${first.nextCursor}`)).body
    const times = [...first.data, ...second.data].map(({ queuedAt }) => queuedAt)
    expect(times).toHaveLength(4)
    expect(times).toEqual([...times].sort().reverse())
  })

  it('is for admins, and for auditors to read', async () => {
    const [auditor, support] = [await app.person('auditor'), await app.person('support')]
    expect((await auditor.client.get('/admin/mails')).status).toBe(200)
    expectProblem(await support.client.get('/admin/mails'), 403, 'command/forbidden')
    const retry = `/admin/mails/${randomUUID()}/retry`
    expectProblem(await auditor.client.post(retry), 403, 'command/forbidden')
    expectProblem(await app.admin.client.post(retry), 404, 'mail/not-found')
    const strange = await app.admin.client.get('/admin/mails?state=lost')
    expect(expectProblem(strange, 400, 'request/invalid').errors[0]?.pointer).toBe('/state')
  })
})
