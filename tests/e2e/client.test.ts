// A client made from /openapi.json: its types compile, they say no to mistakes, and it can shop.
import { execFile } from 'node:child_process'
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newProduct } from '../support/goods.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { project } from '../support/tidy/sources.ts'

const run = promisify(execFile)
const tsc = join(project, 'node_modules/typescript/bin/tsc')

let app: TestApp
let directory: string
beforeAll(async () => {
  app = await startTestApp()
  directory = await temporaryDirectory()
  const examples = join(directory, 'examples')
  await mkdir(examples)
  await symlink(join(project, 'node_modules'), join(directory, 'node_modules'))
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  for (const name of ['firstOrder.ts', 'tsconfig.json']) {
    await cp(join(project, 'examples', name), join(examples, name))
  }
  const wanted = ['--from', `${app.url}/openapi.json`, '--to', join(examples, 'api.d.ts')]
  await node(join(project, 'examples/writeClient.ts'), ...wanted)
}, 120_000)
afterAll(async () => {
  await app?.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

const node = (...args: string[]) => run(process.execPath, args, { cwd: directory })

/** What the compiler says to a file beside the example. */
async function compiled(file: string, text?: string): Promise<string> {
  const examples = join(directory, 'examples')
  if (text !== undefined) await writeFile(join(examples, file), text)
  const config = join(examples, `tsconfig.${file}.json`)
  await writeFile(config, JSON.stringify({ extends: './tsconfig.json', files: [file] }))
  return node(tsc, '--project', config).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
}

const head = `import createClient from 'openapi-fetch'
import type { paths } from './api.d.ts'
const client = createClient<paths>({ baseUrl: '' })
`
/** Each is one thing that the API would refuse, or would never answer. */
const mistakes = [
  ['a path that is not there', `await client.GET('/api/ordes')`],
  ['a method that a path does not have', `await client.POST('/api/cart', {})`],
  [
    'a field that is misspelt',
    `await client.POST('/api/cart/items', { body: { prodctId: 'a', quantity: 2 } })`,
  ],
  [
    'a field of another type',
    `await client.POST('/api/cart/items', { body: { productId: 'a', quantity: '2' } })`,
  ],
  [
    'a key that is left out',
    `await client.POST('/api/orders/{orderId}/pay', { params: { path: { orderId: 'a' } } })`,
  ],
  [
    'a filter that there is not',
    `await client.GET('/api/products', { params: { query: { colour: 'red' } } })`,
  ],
  [
    'a status that no order has',
    `const { data } = await client.GET('/api/orders/{orderId}', {
  params: { path: { orderId: 'a' } },
})
console.log(data?.status === 'sent')`,
  ],
  [
    'a field that no cart has',
    `const { data } = await client.GET('/api/cart')
console.log(data?.sum)`,
  ],
] as const

describe('the generated client', () => {
  it('compiles in strict mode', async () => {
    expect(await compiled('firstOrder.ts')).toBe('')
  }, 120_000)

  it('registers, lists, fills a cart, orders, pays and reads the order', async () => {
    const { position } = await newProduct(app, { name: 'Only Lantern', price: price(425) })
    await app.anyone.get('/products', { after: position })
    const { stdout } = await node('examples/firstOrder.ts', app.url)
    expect(stdout).toMatch(/^\S+ paid 8\.50 GBP\n {2}2 × Only Lantern\n$/)
  })

  it('says no, before anything is sent, to what the API would refuse', async () => {
    const said = await compiled(
      'mistakes.ts',
      `${head}export async function mistakes() {\n${mistakes
        .map(([what, code]) => `  // ${what}\n  {\n${code}\n  }`)
        .join('\n')}\n}\n`,
    )
    const lines = [...said.matchAll(/mistakes\.ts[:(](\d+)/g)].map(([, line]) => Number(line))
    expect(blocksWith(lines)).toEqual(mistakes.map(([what]) => what))
  }, 120_000)
})

const price = (amount: number) => ({ amount, currency: 'GBP' })

/** The mistakes that lines of the file belong to. */
function blocksWith(lines: readonly number[]): string[] {
  let at = head.split('\n').length + 1
  return mistakes.flatMap(([what, code]) => {
    const from = at
    at += code.split('\n').length + 3
    return lines.some(line => line >= from && line < at) ? [what] : []
  })
}
