// The address in a problem leads to a page that says what to do.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemTypes } from '../../src/api/http/problems.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ workers: false })
}, 60_000)
afterAll(() => app?.close())

interface Page {
  type: string
  advice: string
  data: unknown[]
}
const json = async (path: string): Promise<Page> =>
  JSON.parse(await (await page(path, 'application/json')).text())
const page = (path: string, accept: string) => fetch(`${app.url}${path}`, { headers: { accept } })

describe('the type of a problem', () => {
  it.each(Object.keys(problemTypes))('%s has a page and says what to do', async code => {
    const html = await page(`/problems/${code}`, 'text/html')
    expect(html.headers.get('content-type')).toContain('text/html')
    expect(await html.text()).toContain(problemTypes[code]?.title)
    const problem = await json(`/problems/${code}`)
    expect(problem).toMatchObject({ type: `/problems/${code}`, ...problemTypes[code] })
    expect(problem.advice).not.toBe('')
  })

  it('that nobody knows is not found', async () => {
    expect((await page('/problems/no/such', 'text/html')).status).toBe(404)
  })

  it('is in the list of all', async () => {
    const { data } = await json('/problems')
    expect(data).toHaveLength(Object.keys(problemTypes).length)
    expect(await (await page('/problems', 'text/html')).text()).toContain('order/out-of-stock')
  })
})
