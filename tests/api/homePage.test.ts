// The page at the root: what it links to, that it runs nothing, and that it fits a telephone.
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserPath, newTab, openBrowser } from '../support/browser.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { SHOP_NAME: 'Lamps & <b>Co</b> "Ltd"' } })
})
afterAll(() => app?.close())

describe('GET /', () => {
  it('names the shop and links to its parts, all of which are there', async () => {
    const response = await fetch(`${app.url}/`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const html = await response.text()
    expect(html).toContain('Lamps &amp; &lt;b&gt;Co&lt;/b&gt; &quot;Ltd&quot;')
    expect(html).toContain('A storefront comes later.')
    const links = [...html.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => href)
    expect(links).toEqual(['/console', '/docs', '/redoc'])
    for (const path of ['/docs', '/redoc']) {
      expect((await fetch(`${app.url}${path}`)).status, path).toBe(200)
    }
    // Without a build of the console its page is a 503 that says so, and never a 404.
    expect((await fetch(`${app.url}/console`)).status).not.toBe(404)
  })

  it('runs no script, loads nothing, and is cached briefly', async () => {
    const response = await fetch(`${app.url}/`, { headers: { authorization: 'Bearer x' } })
    const other = await fetch(`${app.url}/`)
    // A token that is not valid is refused here as everywhere.
    expect([response.status, other.status]).toEqual([401, 200])
    const policy = other.headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "script-src 'none'", "form-action 'none'"]) {
      expect(policy).toContain(part)
    }
    expect(policy).not.toContain('unsafe')
    expect(other.headers.get('cache-control')).toBe('public, max-age=300')
    expect(await other.text()).not.toMatch(/<script|\son\w+=|https?:|javascript:/)
  })

  it('answers HEAD like GET, without the page', async () => {
    const [got, head] = await Promise.all([
      fetch(`${app.url}/`),
      fetch(`${app.url}/`, { method: 'HEAD' }),
    ])
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')
    for (const name of ['content-type', 'content-length', 'content-security-policy']) {
      expect(head.headers.get(name), name).toBe(got.headers.get(name))
    }
    const posted = await fetch(`${app.url}/`, { method: 'POST' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })
})

const executable = browserPath()
describe.skipIf(executable === undefined)('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser(executable ?? '')
  })
  afterAll(() => browser?.close())

  it.each(['/', '/problems', '/problems/request/invalid'])('%s fits a telephone', async path => {
    const { page, complaints } = await newTab(browser)
    await page.setViewportSize({ width: 360, height: 700 })
    await page.goto(`${app.url}${path}`)
    expect(await page.locator('h1').isVisible()).toBe(true)
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(Number(width)).toBeLessThanOrEqual(360)
    // The policy lets the page's own style through.
    const margin = await page.evaluate('getComputedStyle(document.body).margin')
    expect(margin).toBe('0px')
    expect(complaints).toEqual([])
    const folder = process.env.PICTURES
    if (folder)
      await page.screenshot({ path: join(folder, `home${path.replaceAll('/', '-')}.png`) })
    await page.context().close()
  })
})
