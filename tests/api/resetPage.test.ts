// The page behind the link that is mailed: what it sends, what it hides, and that it works.
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mailsTo, resetLink } from '../support/accountMails.ts'
import { browserPath, newTab, openBrowser } from '../support/browser.ts'
import { expectProblem } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

const newPassword = 'a staple for the horse'
let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { SHOP_NAME: 'Lamps & <b>Co</b>' } })
})
afterAll(() => app?.close())

const logIn = (person: Person, using: string) =>
  app.anyone.post('/auth/login', { username: person.username, password: using })

describe('the page', () => {
  it('runs nothing but our own script, sends no Referer, and says whose it is', async () => {
    const response = await fetch(`${app.url}/reset-password`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('referrer-policy')).toBe('no-referrer')
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'")
    const html = await response.text()
    expect(html).toContain('Lamps &amp; &lt;b&gt;Co&lt;/b&gt;')
    expect(html).not.toMatch(/<script(?![^>]*src=)|\son\w+=|https?:/)
  })

  it.each([
    ['page.js', 'text/javascript; charset=utf-8'],
    ['page.css', 'text/css; charset=utf-8'],
  ])('has its %s beside it', async (file, type) => {
    const response = await fetch(`${app.url}/reset-password/${file}`)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
  })

  it('is where the mail leads; a shop’s own page takes its place when it is named', async () => {
    const person = await app.person()
    const { link } = await resetLink(app, person)
    expect(link.href.startsWith(`${app.url}/reset-password#uid=`)).toBe(true)
    const page = 'https://front.example.com/account/new-password'
    const other = await startTestApp({ settings: { RESET_PAGE_URL: page } })
    try {
      const mailed = await resetLink(other, await other.person())
      expect(mailed.link.href.startsWith(`${page}#uid=`)).toBe(true)
      expectProblem(await other.anyone.get('//reset-password'), 404, 'request/not-found')
    } finally {
      await other.close()
    }
  })
})

const executable = browserPath()
describe.skipIf(executable === undefined)('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser(executable ?? '')
  })
  afterAll(() => browser?.close())

  it('sets the password, on a telephone, and leaves the secret nowhere', async () => {
    const person = await app.person()
    const { link, token } = await resetLink(app, person)
    const { page, complaints } = await newTab(browser)
    await page.setViewportSize({ width: 390, height: 780 })
    const asked: string[] = []
    page.on('request', request => asked.push(request.url()))
    await page.goto(link.href)
    await page.getByLabel('New password').fill('password123')
    expect(page.url()).toBe(`${app.url}/reset-password`)
    await shoot(page, 'form')
    await page.getByRole('button').click()
    await page.getByText('among the first that others would try').waitFor()
    await page.getByLabel('New password').fill(newPassword)
    await page.getByLabel('Show it').check()
    expect(await page.getByLabel('New password').getAttribute('type')).toBe('text')
    await page.getByRole('button').click()
    await page.getByText('You can sign in with it now').waitFor()
    await shoot(page, 'done')
    expect(asked.filter(url => url.includes(token))).toEqual([])
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(Number(width)).toBeLessThanOrEqual(390)
    expect(complaints).toEqual([])
    expect((await logIn(person, newPassword)).status).toBe(200)
    expect(await mailsTo(app, person, 'Set a new password')).toHaveLength(1)
    await page.close()
  }, 60_000)

  it('says so when the link is cut short, or has been used', async () => {
    const person = await app.person()
    const { link, uid, token } = await resetLink(app, person)
    const { page } = await newTab(browser)
    await page.goto(`${app.url}/reset-password#uid=${uid}`)
    await page.getByText('This link is not complete').waitFor()
    expect(await page.getByLabel('New password').isVisible()).toBe(false)
    await app.anyone.post('/auth/password/reset/confirm', { uid, token, newPassword })
    await page.goto(link.href)
    await page.getByLabel('New password').fill(newPassword)
    await page.getByRole('button').click()
    await page.getByText('has been used or is too old').waitFor()
    await page.close()
  }, 60_000)
})

/** For whoever wants to see it: PICTURES names a folder. */
async function shoot(
  page: { screenshot(options: { path: string }): Promise<unknown> },
  name: string,
) {
  const folder = process.env.PICTURES
  if (folder !== undefined) await page.screenshot({ path: join(folder, `reset-${name}.png`) })
}
