// Examples do what they say: the requests of examples/orders.http, the snippets of storefront.md.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newProduct } from '../support/goods.ts'
import {
  bodyBytes,
  filledIn,
  type HttpAnswer,
  type HttpRequest,
  parseHttpFile,
} from '../support/httpFile.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'
import { project } from '../support/tidy/sources.ts'

const path = join(project, 'examples/orders.http')
const file = parseHttpFile(await readFile(path, 'utf8'))

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

/** What a user would write into the head of the file, and what the editor knows by itself. */
const variables = () => ({
  ...file.variables,
  host: app.url,
  adminPassword: password,
  $timestamp: `${Math.floor(Date.now() / 1_000)}`,
})

async function send(request: HttpRequest, answers: ReadonlyMap<string, HttpAnswer>) {
  const fill = (text: string) => filledIn(text, variables(), answers)
  const headers = Object.entries(request.headers).map(([name, value]) => [name, fill(value)])
  const filled = {
    headers: Object.fromEntries(headers),
    body: request.body === undefined ? undefined : fill(request.body),
  }
  const body = await bodyBytes(filled, path)
  const url = new URL(fill(request.url))
  const response = await fetch(url, {
    method: request.method,
    headers: filled.headers,
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const contentType = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const answer = contentType.endsWith('json') ? JSON.parse(text) : text
  const { status } = response
  const received = { method: request.method, path: url.pathname, status, contentType }
  app.contract.check({ ...received, body: answer })
  return { status, body: answer, headers: response.headers }
}

/** The operations that the file asks for, by their tag. */
function tagsOf(requests: readonly HttpRequest[]): Set<string | undefined> {
  const { paths } = app.contract.document
  const shape = (text: string) => text.replace(/\?.*/, '').replace(/[^/]*\{+[^}]+\}+[^/]*/g, '{}')
  const operations = requests.map(({ method, url }) => {
    const wanted = shape(url.replace('{{host}}', ''))
    const found = Object.keys(paths).find(each => shape(each) === wanted)
    return paths[found ?? '']?.[method.toLowerCase()]
  })
  return new Set(operations.flatMap(operation => operation?.tags ?? []))
}

describe('examples/orders.http', () => {
  it('says of every request which status comes back', () => {
    expect(file.requests.length).toBeGreaterThan(40)
    const silent = file.requests.filter(({ expects }) => expects === undefined)
    expect(silent.map(({ title }) => title)).toEqual([])
  })

  it('has a request of every part of the API', () => {
    const tags = new Set(
      Object.values(app.contract.document.paths).flatMap(methods =>
        Object.values(methods).flatMap(operation => operation.tags ?? []),
      ),
    )
    // Only a payment provider can sign what it calls back with.
    tags.delete('Payments')
    const asked = tagsOf(file.requests)
    expect([...tags].filter(tag => !asked.has(tag))).toEqual([])
  })

  it('runs from top to bottom', async () => {
    const answers = new Map<string, HttpAnswer>()
    for (const request of file.requests) {
      const answer = await send(request, answers)
      const said = `${request.title}: ${JSON.stringify(answer.body)}`
      expect(answer.status, said).toBe(request.expects)
      if (request.name !== undefined) answers.set(request.name, answer)
    }
  })
})

describe('docs/storefront.md', () => {
  it('has snippets that run as one program', async () => {
    await newProduct(app)
    const page = await readFile(join(project, 'docs/storefront.md'), 'utf8')
    const snippets = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text = '']) => text)
    const program = snippets.join('\n').replace(`'http://127.0.0.1:3000'`, `'${app.url}'`)
    const file = join(await temporaryDirectory(), 'storefront.mjs')
    await writeFile(file, program)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 })
    expect(snippets.length).toBeGreaterThan(10)
    expect(stdout).toMatch(/^\d{3}-\d{4} true$/m)
    expect(stdout).toMatch(/^paid "\d+"/m)
    expect(stdout).toMatch(/^Your order \S+ is now cancelled$/m)
    expect(stdout).toContain('/problems/request/unauthenticated 401')
  })
})

describe('a request in the file', () => {
  const [request] = parseHttpFile('@a = 1\n### T\n# @name n\nGET /{{a}}\nX-A: {{b}}').requests

  it('is refused when it wants what no answer has', () => {
    const none = new Map<string, HttpAnswer>()
    expect(request?.name).toBe('n')
    expect(filledIn(request?.url ?? '', { a: '1' }, none)).toBe('/1')
    expect(() => filledIn(request?.headers['x-a'] ?? '', {}, none)).toThrow('there is no {{b}}')
    expect(() => filledIn('{{n.response.body.$.id}}', {}, none)).toThrow('there is no')
  })
})
