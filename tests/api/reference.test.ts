// The reference at /redoc: for any browser, from this host alone, under the policy of all pages.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ workers: false })
})
afterAll(() => app?.close())

async function fetchText(path: string) {
  const response = await fetch(`${app.url}${path}`)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The addresses that a page's own elements load. */
const loaded = (html: string) =>
  [...html.matchAll(/\b(?:src|href|spec-url)="([^"]+)"/g)].map(([, address = '']) => address)

describe('the reference', () => {
  it('loads its script, its style and the document from here, and they are there', async () => {
    const { status, headers, text } = await fetchText('/redoc')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    const addresses = loaded(text)
    expect(addresses).toEqual(
      expect.arrayContaining(['/redoc/redoc.js', '/redoc/redoc.css', '/openapi.json']),
    )
    for (const address of addresses) {
      expect(address).toMatch(/^\//)
      expect((await fetchText(address)).status, address).toBe(200)
    }
  })

  it('has no script of its own in the page, which the policy would refuse', async () => {
    const { text, headers } = await fetchText('/redoc')
    expect(text).not.toMatch(/<script>|\son\w+=/)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("script-src 'self'")
    // Its search runs in a worker that it makes itself: here, and on no other page.
    expect(policy).toContain("worker-src 'self' blob:")
    const other = await fetchText('/healthz')
    expect(other.headers.get('content-security-policy')).not.toContain('blob:')
  })

  it('asks no other host for anything', async () => {
    const { text, headers } = await fetchText('/redoc/redoc.js')
    expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(headers.get('content-encoding')).toBe('gzip')
    expect(text).toContain('spec-url')
    expect(text).not.toMatch(/https?:\/\/(cdn\.|fonts\.|[\w.]*googleapis|[\w.]*gstatic)/)
    const plain = await fetch(`${app.url}/redoc/redoc.js`, {
      headers: { 'accept-encoding': 'identity' },
    })
    expect(plain.headers.get('content-encoding')).toBeNull()
    expect(await plain.text()).toBe(text)
  })

  it('has a name for what is met often, and one definition of each refusal', async () => {
    const { text } = await fetchText('/openapi.json')
    const { components, paths } = JSON.parse(text)
    expect(Object.keys(components.schemas)).toEqual(
      expect.arrayContaining(['Accepted', 'Cart', 'Money', 'OrderDetail', 'Problem', 'Product']),
    )
    const { 201: made, 409: refused } = paths['/api/orders'].post.responses
    expect(made.content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/Accepted',
    })
    expect(refused).toEqual({ $ref: '#/components/responses/Problem409' })
  })
})
