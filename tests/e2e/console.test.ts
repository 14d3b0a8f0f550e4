// The admin console in a real browser against a real shop: what staff does there happens.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildConsole, isBuilt } from '../../console/building.ts'
import { browserPath, newTab, openBrowser } from '../support/browser.ts'
import { gbp, moveOrder, newKey, newOrder, newProduct } from '../support/goods.ts'
import { followSocket } from '../support/liveFeed.ts'
import { callBack } from '../support/payments.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const chromium = browserPath()
let app: TestApp
let browser: Browser
let context: BrowserContext
let page: Page
let complaints: string[]

/** Pages take their time where the machine has other things to do. */
const inBrowser = (what: string, facts: () => void) =>
  describe.skipIf(chromium === undefined)(what, { timeout: 90_000 }, facts)
const patience = { timeout: 15_000 }

async function signIn(tab: Page, username: string): Promise<void> {
  await tab.goto(`${app.url}/console`)
  await tab.getByLabel('Username').fill(username)
  await tab.getByLabel(/^Password/).fill(password)
  await tab.getByRole('button', { name: 'Sign in' }).click()
}

const go = (path: string, tab = page) => tab.goto(`${app.url}/console#${path}`)
const press = (name: string | RegExp, tab = page) => tab.getByRole('button', { name }).click()
const stockOf = async (id: string) => (await app.admin.client.get(`/products/${id}/stock`)).body
const orderOf = async (id: string) => (await app.admin.client.get(`/orders/${id}`)).body

async function paidOrder(customer: Person, price = 425): Promise<{ id: string; number: string }> {
  const { id } = await newProduct(app, { price: gbp(price) })
  const { body } = await newOrder(customer, id, 2)
  const paid = await customer.client.post(`/orders/${body.id}/pay`, {}, { key: newKey() })
  await customer.client.get(`/orders/${body.id}`, { after: paid.body.position })
  return { id: body.id, number: body.orderNumber }
}

beforeAll(async () => {
  if (chromium === undefined) return
  if (!(await isBuilt())) await buildConsole()
  app = await startTestApp()
  browser = await openBrowser(chromium)
  context = await browser.newContext()
  const tab = await newTab(context)
  page = tab.page
  complaints = tab.complaints
  await signIn(page, 'admin')
  await page.getByText('To be shipped').waitFor()
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await app?.close()
})

/** What is cut off at the right: beyond the screen, and in nothing that can be scrolled. */
const cutOff = `[...document.querySelectorAll('main *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
  .filter(each => each.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
  .filter(each => {
    for (let at = each.parentElement; at; at = at.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return false
      // For screen readers alone.
      if (at.clientWidth <= 1) return false
    }
    return true
  })
  .map(each => each.tagName + ' ' + each.textContent.slice(0, 40))`

inBrowser('an order', () => {
  it('whose status is changed here is heard of over WebSocket, here and elsewhere', async () => {
    const customer = await app.person()
    const { id, number } = await paidOrder(customer)
    const outside = await followSocket(app.url, { authorization: `Bearer ${customer.access}` })
    const { page: other } = await newTab(context)
    await go('/feed', other)
    await other.getByLabel(/^Live: /).waitFor()
    await go(`/orders/${id}/show`)
    await page.getByRole('button', { name: 'Ship' }).dblclick()
    await page.getByLabel(/^Tracking/).fill('RM 123')
    await page.getByRole('dialog').getByRole('button', { name: 'Ship' }).click()
    await other.getByText(`${number}: paid → shipped`).waitFor()
    await outside.hears('the shipped order', update => update.status === 'shipped')
    outside.cut()
    await page.getByRole('button', { name: 'Mark as delivered' }).waitFor()
    expect(await orderOf(id)).toMatchObject({ status: 'shipped' })
    await go('/feed')
    await page.getByText(`${number}: paid → shipped`).waitFor()
    await other.close()
  })

  it('is paid back in part, and never above what was captured', async () => {
    const { id } = await paidOrder(await app.person(), 1_000)
    await go(`/orders/${id}/show`)
    await press('Refund')
    await page.getByLabel(/^Amount/).fill('20.01')
    await page.getByLabel(/^Reason/).fill('One lantern was broken')
    await press('Pay back')
    await page.getByText('An amount of up to £20.00 can be paid back.').waitFor()
    expect(await orderOf(id)).toMatchObject({ refunded: gbp(0) })
    await page.getByLabel(/^Amount/).fill('7.5')
    await press('Pay back')
    await page.getByTestId('sum-Refunded').getByText('£7.50').waitFor()
    expect(await orderOf(id)).toMatchObject({ refunded: gbp(750), captured: gbp(2_000) })
  })

  it('can be seen as it was behind each of its events', async () => {
    const { id } = await paidOrder(await app.person())
    const { body } = await moveOrder(app, id, 'shipped')
    await app.admin.client.get(`/orders/${id}`, { after: body.position })
    await go(`/orders/${id}/show`)
    const moment = page.getByRole('slider', { name: 'Moment' })
    const then = page.getByRole('table', { name: 'The order at this moment' })
    await then
      .getByRole('row', { name: /^status/ })
      .getByText('shipped')
      .waitFor()
    await moment.focus()
    await page.keyboard.press('Home')
    await then
      .getByRole('row', { name: /^status/ })
      .getByText('submitted')
      .waitFor()
  })
})

inBrowser('a product', () => {
  it('that somebody else changed meanwhile is shown side by side before it is saved', async () => {
    const { id } = await newProduct(app, { name: 'Lantern of two' })
    await go(`/products/${id}`)
    const name = page.getByLabel(/^Name/)
    await expect.poll(() => name.inputValue(), patience).toBe('Lantern of two')
    await page.getByLabel('Description').fill('Bright')
    const theirs = { name: 'Lantern of somebody else', price: gbp(999) }
    await app.admin.client.patch(`/products/${id}`, theirs)
    await press('Save')
    await page.getByText('Somebody else changed this meanwhile').waitFor()
    await page.getByRole('cell', { name: 'Lantern of somebody else' }).waitFor()
    const before = await app.admin.client.get(`/products/${id}`)
    expect(before.body).toMatchObject({ ...theirs, description: '' })
    await press('Save mine')
    await page.getByText('Your changes are saved').waitFor()
    const after = await app.admin.client.get(`/products/${id}`)
    expect(after.body).toMatchObject({ ...theirs, description: 'Bright' })
    await expect.poll(() => name.inputValue(), patience).toBe(theirs.name)
  })

  it('keeps what is typed when its stock or images change, and overwrites nobody', async () => {
    const { id } = await newProduct(app, { name: 'Lantern untouched', stock: 5 })
    await go(`/products/${id}`)
    const name = page.getByLabel(/^Name/)
    await name.fill('Lantern typed')
    await press('Adjust stock')
    await page.getByLabel(/^Pieces/).fill('7')
    await press('Book')
    await page.getByTestId('stock-On hand').getByText('12').waitFor()
    const png = new URL('../../docs/images/mails.png', import.meta.url)
    await page.locator('input[type=file]').setInputFiles(fileURLToPath(png))
    await page.getByRole('button', { name: 'Take mails away' }).waitFor()
    expect(await name.inputValue()).toBe('Lantern typed')
    await press('Save')
    await page.getByText('Element updated').waitFor()
    await expect.poll(() => page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    const { body } = await app.admin.client.get(`/products/${id}`)
    expect(body).toMatchObject({ name: 'Lantern typed', stock: { onHand: 12 } })
    await name.fill('Lantern typed again')
    await app.admin.client.patch(`/products/${id}`, { name: 'Lantern of theirs', featured: true })
    await press('Refresh')
    await page.waitForLoadState('networkidle')
    await press('Save')
    await page.getByText('Somebody else changed this meanwhile').waitFor()
    await press('Take theirs')
    await expect.poll(() => name.inputValue(), patience).toBe('Lantern of theirs')
  })

  it('gets its stock adjusted, once for however often the button is pressed', async () => {
    const { id } = await newProduct(app, { stock: 5 })
    await go(`/products/${id}`)
    await press('Adjust stock')
    await page.getByLabel(/^Pieces/).fill('-6')
    await press('Book')
    await page.getByRole('alert').waitFor()
    expect(await stockOf(id)).toMatchObject({ onHand: 5 })
    await page.getByLabel(/^Pieces/).fill('7')
    await page.getByLabel('Note').fill('From the cellar')
    // The answer gets lost: whoever presses again has the same key.
    await page.route('**/stock-adjustments', async route => {
      await route.fetch()
      await route.abort()
    })
    await press('Book')
    await page.getByText('The shop cannot be reached').waitFor()
    await page.unroute('**/stock-adjustments')
    await press('Book')
    await page.getByTestId('stock-On hand').getByText('12').waitFor()
    expect(await stockOf(id)).toMatchObject({ onHand: 12 })
    await page.getByText('received: From the cellar').waitFor()
  })
})

inBrowser('the staff', () => {
  it('counts stock, which sets it', async () => {
    const { id } = await newProduct(app, { stock: 30 })
    await go(`/products/${id}`)
    await press('Count stock')
    await page.getByLabel(/^Pieces counted/).fill('7')
    await press('Set')
    await page.getByTestId('stock-On hand').getByText('7', { exact: true }).waitFor()
    expect(await stockOf(id)).toMatchObject({ onHand: 7 })
  })

  it('says that money which came another way has been paid back', async () => {
    const { id: productId } = await newProduct(app)
    const { orderId } = (await newOrder(await app.person(), productId, 2)).body
    await moveOrder(app, orderId, 'paid')
    const refund = { amount: gbp(350), reason: 'scratched' }
    const { body } = await app.admin.client.post(`/orders/${orderId}/refunds`, refund)
    await app.admin.client.get('/admin/refunds', { after: body.position })
    await go('/refunds')
    await page.getByText('You: it came through manual').waitFor()
    await press('I have paid it')
    await page.getByLabel(/^Reference/).fill('BANK 7')
    await press('It was paid back')
    await page.getByText('No money waits to be paid back.').waitFor()
    expect((await orderOf(orderId)).refunded).toEqual(gbp(350))
  })

  it('shows a dispute with its deadline, and what could not be booked', async () => {
    const { id: orderId } = await paidOrder(await app.person())
    const money = { amount: 425, currency: 'GBP' }
    const dueBy = Date.parse('2030-03-17T12:00:00Z')
    const dispute = { type: 'dispute.opened', orderId, ...money, reference: 'du-console', dueBy }
    expect((await callBack(app, dispute)).body.outcome).toBe('recorded')
    const refund = { type: 'refund.made', orderId: randomUUID(), ...money, reference: 're-console' }
    expect((await callBack(app, refund)).body.outcome).toBe('review')
    const after = String(await app.back.eventStore.head())
    await app.admin.client.get('/admin/disputes', { after })
    await go('/disputes')
    await page.getByText('simulated du-console').waitFor()
    await page.getByText('needs response').waitFor()
    await page.getByText('refund re-console').waitFor()
    await press('Seen to')
    await press('It is seen to')
    await page.getByText('Everything that the provider told is booked.').waitFor()
    await go(`/orders/${orderId}/show`)
    await page.getByText('Dispute du-console: general').waitFor()
    await page.getByText(/^answer by .*2030/).waitFor()
  })

  it('tries a mail again that could not be delivered, and gives another up', async () => {
    const { id: productId } = await newProduct(app)
    await newOrder(await app.person(), productId)
    const { pool } = app.back
    await waitFor('a mail', async () => {
      const { rowCount } = await pool.query(
        `update shop.mails set state = 'undeliverable', last_error = 'SMTP 550 5.1.1'
          where mail_id in (
            select mail_id from shop.mails where state = 'sent' and template = 'order-placed'
            limit 1)`,
      )
      return (rowCount ?? 0) > 0
    })
    await go('/mails')
    await page.getByText('SMTP 550 5.1.1').waitFor()
    await page.getByRole('button', { name: /^Try again: Order placed/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Try again' }).click()
    await page.getByText('The mail is being sent').waitFor()
    await page.getByText('SMTP 550 5.1.1').waitFor({ state: 'detached' })
  })

  it('finds an order from any page, corrects its address and its tracking number', async () => {
    const customer = await app.person()
    await customer.client.patch('/auth/profile', { firstName: 'Ada', lastName: 'Quist' })
    const { id, number } = await paidOrder(customer)
    // Names come from another read model than the order: what is searched for has to be there.
    await waitFor('the order among those found', async () => {
      const { body } = await app.admin.client.get('/orders?search=ada%20quist')
      return body.total === 1
    })
    await go('/sales')
    const box = page.getByRole('searchbox', { name: /^Search orders/ })
    await box.fill('ada quist')
    await box.press('Enter')
    await page.getByRole('link', { name: `${number} · Ada Quist` }).click()
    await press('Change delivery')
    await page.getByLabel('Address').fill('Ada Quist, 2 Low Street')
    await page.getByLabel(/^Reason/).fill('Called us')
    await press('Save')
    await page.getByText('The delivery details were changed: Called us').waitFor()
    await press('Ship')
    await page.getByLabel(/^Tracking/).fill('RM 1')
    await page.getByRole('dialog').getByRole('button', { name: 'Ship' }).click()
    await press('Correct tracking number')
    await page.getByRole('textbox', { name: /^Tracking/ }).fill('RM 2')
    await press('Save')
    await page.getByText('RM 2', { exact: true }).first().waitFor()
    expect(await orderOf(id)).toMatchObject({
      trackingNumber: 'RM 2',
      shippingAddress: 'Ada Quist, 2 Low Street',
    })
  })

  it('gives a customer their data, and erases them once what is open is paid back', async () => {
    const customer = await app.person()
    const { id, number } = await paidOrder(customer)
    await go(`/users/${customer.id}`)
    const file = page.waitForEvent('download')
    await press('Download data')
    expect(JSON.parse(await readFile(await (await file).path(), 'utf8'))).toMatchObject({
      profile: { id: customer.id, email: customer.email },
    })
    await page.setViewportSize({ width: 390, height: 844 })
    const button = page.getByRole('button', { name: 'Erase this customer' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.keyboard.type('ticket 4711')
    await page.keyboard.press('Enter')
    await page.getByRole('list', { name: 'Open orders' }).getByText(number).waitFor()
    expect(await page.evaluate(cutOff)).toEqual([])
    await page.getByLabel('Cancel and refund open orders first').press('Space')
    await press('Erase for good')
    await page.getByText('✓ There is no account').waitFor()
    expect(await page.evaluate(cutOff)).toEqual([])
    await page.setViewportSize({ width: 1_280, height: 900 })
    expect(await orderOf(id)).toMatchObject({ status: 'cancelled', refunded: gbp(850) })
  })

  it('puts a deleted product back, and nothing that was typed is saved by that', async () => {
    const { id } = await newProduct(app, { name: 'Lantern of before' })
    await app.admin.client.delete(`/products/${id}`, undefined, { ifMatch: '*' })
    await go('/products')
    await page.getByRole('combobox', { name: 'Shown' }).click()
    await page.getByRole('option', { name: 'deleted', exact: true }).click()
    await page.getByRole('link', { name: 'Lantern of before' }).click()
    const name = page.getByLabel(/^Name/)
    await name.fill('Lantern of nobody')
    await press('Restore product')
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
    await page.getByText('The product is back in the shop').waitFor()
    await page.getByRole('button', { name: 'Delete' }).waitFor()
    const { body } = await app.anyone.get(`/products/${id}`)
    expect(body).toMatchObject({ name: 'Lantern of before' })
    expect(await name.inputValue()).toBe('Lantern of nobody')
    // A page with something unsaved is not left without a question.
    await name.fill('Lantern of before')
  })

  it('sees a list of orders with all names after one request', async () => {
    const requests: string[] = []
    page.on('request', request => requests.push(new URL(request.url()).pathname))
    await go('/feed')
    requests.length = 0
    await go('/orders')
    await page.getByRole('cell', { name: 'Ada Quist' }).first().waitFor()
    const asked = requests.filter(path => path.startsWith('/api/') && !path.includes('/auth/'))
    // A list that is asked for again, since a read model was late, is still one list.
    expect(new Set(asked)).toEqual(new Set(['/api/orders']))
    expect(asked.length).toBeLessThan(3)
    page.removeAllListeners('request')
  })
})

inBrowser('signing in', () => {
  it('outlives the access token, in several tabs that renew it at the same time', async () => {
    const { page: second } = await newTab(context)
    // Tabs share what a list was filtered by.
    await go('/products?filter=%7B%7D', second)
    await second.getByRole('columnheader', { name: 'SKU' }).waitFor()
    const spend = (tab: Page) =>
      tab.evaluate(() => {
        const key = 'orderstream-console'
        const session = JSON.parse(sessionStorage.getItem(key) ?? '{}')
        sessionStorage.setItem(key, JSON.stringify({ ...session, access: 'spent' }))
      })
    // The same spent token in both: each has to renew it, with the one refresh token they have.
    await Promise.all([spend(page), spend(second)])
    await page.goto('about:blank')
    const refused = [page, second].map(tab =>
      tab.waitForResponse(answer => answer.status() === 401),
    )
    let renewals = 0
    await context.route('**/auth/token/refresh', async route => {
      renewals += 1
      // Whoever comes first is kept until the other one has had every chance to come, too.
      await Promise.all(refused)
      await second.evaluate(() => new Promise(resolve => setTimeout(resolve, 500)))
      await route.continue()
    })
    await Promise.all([go('/categories'), second.reload()])
    await second.getByRole('columnheader', { name: 'SKU' }).waitFor()
    await page.getByRole('columnheader', { name: 'Description' }).waitFor()
    expect(renewals).toBe(1)
    await context.unroute('**/auth/token/refresh')
    await second.close()
  })

  it('shows each role what it may do, and turns customers away', async () => {
    const alone = await browser.newContext()
    const { page: tab } = await newTab(alone)
    const customer = await app.person()
    await signIn(tab, customer.username)
    await tab.getByText('This console is for the staff of the shop').waitFor()
    const auditor = await app.person('auditor')
    const { id } = await paidOrder(customer)
    await signIn(tab, auditor.username)
    await tab.getByRole('menuitem', { name: 'Read models' }).waitFor()
    expect(await tab.getByRole('menuitem', { name: 'Imports' }).count()).toBe(0)
    await go(`/orders/${id}/show`, tab)
    await tab.getByText('was paid through').waitFor()
    expect(await tab.getByRole('button', { name: /^(Ship|Refund|Cancel order)$/ }).count()).toBe(0)
    await alone.close()
  })
})

inBrowser('every page', () => {
  const paths = [
    ...['/', '/orders', '/feed', '/products', '/products/create', '/low-stock', '/categories'],
    ...['/refunds', '/disputes', '/mails', '/imports', '/users', '/sales', '/projections'],
    ...['/audit', '/search'],
    '/categories/create',
  ]

  it('fits a phone, and breaks no rule of the policy for content', async () => {
    const customer = await app.person()
    const { id: productId } = await newProduct(app, {
      name: 'Lantern with a very long name'.repeat(4),
    })
    const { id: orderId } = await paidOrder(customer)
    const records = [
      ...[`/products/${productId}`, `/products/${productId}/show`, `/orders/${orderId}/show`],
      ...[`/users/${customer.id}`, `/users/${customer.id}/show`],
    ]
    await page.setViewportSize({ width: 390, height: 844 })
    for (const path of [...paths, ...records]) {
      await go(path)
      await page.locator('main').getByText(/\S/).filter({ visible: true }).first().waitFor()
      await page.getByRole('progressbar').first().waitFor({ state: 'detached' })
      const wide = await page.evaluate('document.documentElement.scrollWidth')
      expect.soft([path, wide, await page.evaluate(cutOff)]).toEqual([path, 390, []])
    }
    await page.setViewportSize({ width: 1_280, height: 900 })
    const { headers } = await fetch(`${app.url}/console`)
    expect(headers.get('content-security-policy')).toMatch(/script-src 'self'(;|$)/)
    expect(complaints).toEqual([])
    // What would have been heard, had there been any.
    await page.evaluate(`
      const script = document.createElement('script')
      script.textContent = 'window.broken = true'
      document.body.append(script)
    `)
    await expect.poll(() => complaints, patience).toEqual([expect.stringContaining('script-src')])
    complaints.length = 0
  })

  it('of the read models rebuilds one, and says that it is equal', async () => {
    const asked: string[] = []
    page.on('request', request => asked.push(new URL(request.url()).pathname))
    await go('/projections')
    await page.getByRole('button', { name: 'Rebuild priceHistory' }).waitFor()
    page.removeAllListeners('request')
    const apart = asked.filter(path => path.startsWith('/api/admin/projections/'))
    expect(apart).toEqual([])
    await press('Rebuild priceHistory')
    await page.getByRole('dialog').getByRole('button', { name: 'Rebuild' }).click()
    await page.getByText(/^Rebuilt .*equal to the old one$/).waitFor()
  })
})

describe('the files of the console', () => {
  it('are served from one folder, and nothing else is', async () => {
    const some = app ?? (await startTestApp())
    try {
      for (const name of ['..%2Findex.html', '%2e%2e%2f%2e%2e%2fpackage.json', 'none.js']) {
        const { status } = await fetch(`${some.url}/console/assets/${name}`)
        expect([name, [400, 404].includes(status)]).toEqual([name, true])
      }
      const page = await fetch(`${some.url}/console`)
      await waitFor('the page', () => [200, 503].includes(page.status))
    } finally {
      if (app === undefined) await some.close()
    }
  })
})
