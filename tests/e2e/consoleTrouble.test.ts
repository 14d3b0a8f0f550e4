// The console when something goes wrong: sessions that end, refusals, outages; and without a mouse.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildConsole, isBuilt } from '../../console/building.ts'
import { browserPath, newTab, openBrowser } from '../support/browser.ts'
import { gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'

const chromium = browserPath()
let app: TestApp
let browser: Browser
let context: BrowserContext
let page: Page

const inBrowser = (what: string, facts: () => void) =>
  describe.skipIf(chromium === undefined)(what, { timeout: 90_000 }, facts)
const patience = { timeout: 15_000 }
const go = (path: string) => page.goto(`${app.url}/console#${path}`)
const press = (name: string | RegExp) => page.getByRole('button', { name }).click()
const productOf = async (id: string) => (await app.admin.client.get(`/products/${id}`)).body

async function signIn(): Promise<void> {
  await page.goto(`${app.url}/console`)
  await page.getByLabel('Username').fill('admin')
  await page.getByLabel(/^Password/).fill(password)
  await press('Sign in')
  await page.getByText('To be shipped').waitFor()
}

/** All sessions of the admin end on the server; the page does not know yet. */
async function endSession(): Promise<void> {
  const key = 'orderstream-console'
  await page.evaluate(name => {
    const session = JSON.parse(sessionStorage.getItem(name) ?? '{}')
    const logout = { method: 'POST', headers: { authorization: `Bearer ${session.access}` } }
    return fetch('/api/auth/logout', logout).then(() => undefined)
  }, key)
}

async function signInAgain(): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Sign in again' })
  await dialog.getByLabel(/^Password/).fill(password)
  await dialog.getByRole('button', { name: 'Sign in', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

beforeAll(async () => {
  if (chromium === undefined) return
  if (!(await isBuilt())) await buildConsole()
  app = await startTestApp()
  browser = await openBrowser(chromium)
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await app?.close()
})
beforeEach(async () => {
  if (chromium === undefined) return
  await context?.close()
  context = await browser.newContext({ viewport: { width: 1_280, height: 900 } })
  page = (await newTab(context)).page
  await signIn()
})

inBrowser('a session that has ended', () => {
  it('keeps what was typed into a form, and saves it after signing in on the page', async () => {
    const { id } = await newProduct(app, { name: 'Lamp of before' })
    await go(`/products/${id}`)
    const name = page.getByLabel(/^Name/)
    await expect.poll(() => name.inputValue(), patience).toBe('Lamp of before')
    await name.fill('Lamp of after')
    await endSession()
    await press('Save')
    await page.getByRole('dialog', { name: 'Sign in again' }).waitFor()
    expect(await page.getByText('Element updated').count()).toBe(0)
    expect(await productOf(id)).toMatchObject({ name: 'Lamp of before' })
    await press('Not now')
    await page.getByText('so nothing was saved').first().waitFor()
    expect(await name.inputValue()).toBe('Lamp of after')
    await press('Save')
    await signInAgain()
    await expect.poll(() => productOf(id), patience).toMatchObject({ name: 'Lamp of after' })
    expect(await name.inputValue()).toBe('Lamp of after')
  })

  it('keeps a new record, a question to the shop and a file that were on their way', async () => {
    await go('/categories/create')
    await page.getByLabel(/^Name/).fill('Lamps')
    await endSession()
    await press('Save')
    await signInAgain()
    await page.getByRole('link', { name: 'Lamps' }).waitFor()
    const { id } = await newProduct(app, { stock: 5 })
    await go(`/products/${id}`)
    await press('Adjust stock')
    await page.getByLabel(/^Pieces/).fill('3')
    await endSession()
    await press('Book')
    await signInAgain()
    await page.getByTestId('stock-On hand').getByText('8').waitFor()
    await go('/imports')
    await press('Upload products')
    const csv = Buffer.from('sku,name,price\nLATE-1,Late lamp,5.00\n')
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer: csv })
    await endSession()
    await page.getByRole('dialog').getByRole('button', { name: 'Upload' }).click()
    await signInAgain()
    await page.getByText('1 new, 0 changed').waitFor()
  })
})

inBrowser('a save that the shop does not take', () => {
  const problem = (status: number, detail: string, headers = {}) => ({
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type: '/problems/test', title: 'Test', status, detail }),
  })

  it('says why, keeps the input, and can be repeated', async () => {
    const { id } = await newProduct(app, { name: 'Lamp of calm' })
    await go(`/products/${id}`)
    const name = page.getByLabel(/^Name/)
    await expect.poll(() => name.inputValue(), patience).toBe('Lamp of calm')
    await name.fill('Lamp of storms')
    const answers = [
      { answer: problem(400, 'The name is odd.'), says: 'The name is odd.' },
      { answer: problem(403, 'Your role is gone.'), says: 'Your role is gone.' },
      { answer: problem(409, 'Not now, says the shop.'), says: 'Not now, says the shop.' },
      { answer: problem(422, 'This key was used.'), says: 'This key was used.' },
      { answer: problem(429, 'Slowly.', { 'retry-after': '7' }), says: 'Try again in 7 s.' },
      { answer: problem(503, 'Busy.', { 'retry-after': '2' }), says: 'Try again in 2 s.' },
      { answer: { status: 502, body: '<html>' }, says: 'cannot answer right now (502)' },
      { answer: undefined, says: 'The shop cannot be reached.' },
    ]
    for (const { answer, says } of answers) {
      await page.route(`**/api/products/${id}`, route => {
        if (route.request().method() !== 'PATCH') return route.continue()
        return answer === undefined ? route.abort() : route.fulfill(answer)
      })
      await press('Save')
      await page.getByRole('alert').getByText(says).first().waitFor()
      expect(await name.inputValue()).toBe('Lamp of storms')
      expect(await page.getByText('Element updated').count()).toBe(0)
      await page.unroute(`**/api/products/${id}`)
    }
    await press('Save')
    await expect.poll(() => productOf(id), patience).toMatchObject({ name: 'Lamp of storms' })
  })

  it('makes one record, also when the answer to the first attempt is lost', async () => {
    await go('/products/create')
    await page.getByLabel(/^Name/).fill('Lamp made once')
    await page.getByLabel(/^Price/).fill('5')
    await page.route('**/api/products', async route => {
      if (route.request().method() !== 'POST') return route.continue()
      await route.fetch()
      await route.abort()
    })
    await press('Save')
    await page.getByText('The shop cannot be reached.').first().waitFor()
    await page.unroute('**/api/products')
    await press('Save')
    await page.getByTestId('stock-On hand').waitFor()
    const { body } = await app.admin.client.get('/products?search=Lamp+made+once')
    expect(body.data.map(({ name }) => name)).toEqual(['Lamp made once'])
  })
})

inBrowser('an outage', () => {
  const pages = ['orders', 'products', 'categories', 'imports', 'users', 'low-stock', 'sales']
  it('is shown as one on every page, with a way to try again', async () => {
    for (const path of pages) {
      await page.route('**/api/**', route => {
        const isLive = route.request().url().includes('/auth/')
        return isLive ? route.continue() : route.fulfill({ status: 502, body: 'Bad gateway' })
      })
      await go(`/${path}`)
      const fault = page.getByRole('alert').filter({ hasText: 'cannot answer right now (502)' })
      await fault.first().waitFor()
      expect([path, await page.getByText(/^(No |There is enough)/).count()]).toEqual([path, 0])
      await page.unroute('**/api/**')
      await fault.first().getByRole('button', { name: 'Try again' }).click()
      await expect.poll(() => fault.count(), patience).toBeLessThan(path === 'sales' ? 5 : 1)
    }
  })

  it('neither leaves the page of a record nor says that there is none', async () => {
    const { id } = await newProduct(app, { name: 'Lamp in a storm' })
    await page.route(`**/api/products/${id}`, route => route.abort())
    for (const path of [`/products/${id}`, `/products/${id}/show`]) {
      await go(path)
      await page.getByRole('alert').getByText('The shop cannot be reached.').waitFor()
      expect(page.url()).toContain(path)
    }
    await page.unroute(`**/api/products/${id}`)
    const again = page.getByRole('alert').getByRole('button', { name: 'Try again' })
    const shown = page.getByText('Lamp in a storm').first()
    // The page may have tried again by itself by now.
    await again.or(shown).first().waitFor()
    if (await again.isVisible()) await again.click()
    await shown.waitFor()
  })
})

inBrowser('a list', () => {
  it.each([1_280, 390])('is opened row by row with the keyboard at %i pixels', async width => {
    const customer = await app.person()
    const { id } = await newProduct(app, { name: '0 Lamp of keys', price: gbp(100) })
    await newOrder(customer, id, 1)
    await app.admin.client.post('/categories', { name: `0 Keys ${width}` })
    await page.setViewportSize({ width, height: 844 })
    for (const list of ['orders', 'products', 'categories', 'users']) {
      await go(`/${list}`)
      const row = page.locator(`main a[href*="#/${list}/"]:not([href$="/create"])`).first()
      await row.waitFor()
      const search = page.locator('main').getByRole('textbox')
      expect(await search.getAttribute('aria-label')).toMatch(/^Search: /)
      await page.locator('body').click({ position: { x: 1, y: 1 } })
      const isReached = () => row.evaluate(link => link.matches(':focus-visible'))
      for (let step = 0; step < 60 && !(await isReached()); step += 1) {
        await page.keyboard.press('Tab')
      }
      expect([list, await isReached()]).toEqual([list, true])
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
      expect([list, outline]).toEqual([list, 'solid'])
      await page.keyboard.press('Enter')
      await page.waitForURL(new RegExp(`#/${list}/[0-9a-f-]{36}`))
    }
  })
})

inBrowser('what the staff enters', () => {
  it('is a new record, with what was emptied again left out', async () => {
    await go('/products/create')
    for (const field of [/^SKU/, /^Pieces/]) {
      await page.getByLabel(field).fill('1')
      await page.getByLabel(field).fill('')
    }
    await page.getByLabel(/^Name/).fill('Lamp of second thoughts')
    await page.getByLabel(/^Price/).fill('1,5')
    await press('Save')
    await page.waitForURL(/#\/products\/[0-9a-f-]{36}$/)
    const id = page.url().slice(-36)
    expect(await productOf(id)).toMatchObject({ price: gbp(150), stock: { onHand: 0 } })
  })

  it('is a whole number of pieces, or nothing is booked', async () => {
    const { id } = await newProduct(app, { stock: 5 })
    await go(`/products/${id}`)
    await press('Adjust stock')
    const pieces = page.getByLabel(/^Pieces/)
    for (const wrong of ['1,5', '1e3', '']) {
      await pieces.pressSequentially(wrong)
      await press('Book')
      expect(await pieces.evaluate(field => field.matches(':invalid'))).toBe(true)
      await pieces.fill('')
    }
    await pieces.fill('+2')
    await press('Book')
    await page.getByTestId('stock-On hand').getByText('7', { exact: true }).waitFor()
  })

  it('does not empty a delivery, and pays nothing back that is on its way', async () => {
    const { id: productId } = await newProduct(app)
    const { body: order } = await newOrder(await app.person(), productId)
    await moveOrder(app, order.id, 'paid')
    await go(`/orders/${order.id}/show`)
    await press('Change delivery')
    await page.getByLabel(/^Phone/).fill('')
    await page.getByLabel(/^Reason/).fill('asked for')
    await press('Save')
    expect(await page.getByLabel(/^Phone/).evaluate(field => field.matches(':invalid'))).toBe(true)
    await press('Not now')
    const refund = { amount: gbp(400), reason: 'scratched' }
    const { body } = await app.admin.client.post(`/orders/${order.id}/refunds`, refund)
    await app.admin.client.get(`/orders/${order.id}`, { after: body.position })
    await press('Refresh')
    await page.getByRole('region', { name: 'Refunds and disputes' }).waitFor()
    await press('Refund')
    await expect.poll(() => page.getByLabel(/^Amount/).inputValue(), patience).toBe('0.25')
  })
})

inBrowser('a report', () => {
  it('ends with the day that it is in the shop, and says what it leaves out', async () => {
    const line = (key: string) => ({
      ...{ key, name: key, orders: 1, quantity: 2 },
      ...{ gross: gbp(500), returned: gbp(0), net: gbp(500) },
    })
    const asked: string[] = []
    await page.route('**/reports/sales?**', route => {
      const query = new URL(route.request().url()).searchParams
      asked.push(`${query.get('by')} ${query.get('from')}`)
      const isDay = query.get('by') === 'day'
      const data = isDay ? [line('2026-03-02')] : Array.from('abcdefghij', line)
      const json = { by: query.get('by'), data, total: isDay ? 1 : 32, timeZone: 'Asia/Tokyo' }
      return route.fulfill({ json })
    })
    await page.clock.setFixedTime(new Date('2026-03-01T16:00:00Z'))
    await go('/sales')
    await page.reload()
    await page.getByLabel('Time').selectOption('7')
    await page.getByText('The first 10 of 32').first().waitFor()
    const today = page.getByRole('row', { name: /^2026-03-02 £5\.00 in 1 orders/ })
    await today.waitFor({ state: 'attached' })
    expect(asked).toContain('product 2026-02-24')
  })
})

inBrowser('the console', () => {
  it('deletes a product once, however quickly the button is pressed again', async () => {
    const { id } = await newProduct(app, { name: 'Lantern of once' })
    await go(`/products/${id}`)
    const deletions: string[] = []
    page.on('request', request => {
      if (request.method() === 'DELETE') deletions.push(request.url())
    })
    await press('Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).dblclick()
    await page.getByText('Element deleted').waitFor()
    page.removeAllListeners('request')
    expect(deletions.length).toBe(1)
    expect(await page.getByText(/changed/).count()).toBe(0)
  })

  it('has one heading of the first level, and says in which zone its times are', async () => {
    for (const path of ['/', '/orders', '/audit']) {
      await go(path)
      await page.locator('h1').getByText(/\S/).waitFor()
      expect([path, await page.locator('h1').count()]).toEqual([path, 1])
      await page.getByText(/^Times are those of this browser: \S/).waitFor()
    }
  })

  it('of the log shows events by filter, and that they are as signed', async () => {
    const { id } = await newProduct(app, { name: 'Lantern of the log' })
    await go('/audit')
    await page.getByLabel('Stream').fill(`product-${id}`)
    await press('Show')
    await page.getByRole('rowheader', { name: 'ProductCreated' }).waitFor()
    expect(await page.getByRole('rowheader').count()).toBe(1)
    await press('Verify the log')
    await page.getByText(/events are as signed\./).waitFor()
    await app.admin.client.patch(`/products/${id}`, { name: 'Lantern of later' })
    await page.getByRole('combobox', { name: /^Of/ }).click()
    await page.getByRole('option', { name: 'products' }).click()
    await page.getByLabel(/^Id/).fill(id)
    await page.getByLabel('Since').fill('0')
    await press('Compare')
    await page.getByRole('cell', { name: 'Lantern of later', exact: true }).waitFor()
  })
})
