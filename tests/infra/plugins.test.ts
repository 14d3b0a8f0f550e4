// Loading plugins: what is refused at start, by name, and the contract test that authors run.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { loadPlugins } from '../../src/main/plugins.ts'
import { runProgram } from '../support/programs.ts'
import { temporaryDirectory } from '../support/servers.ts'

const example = './examples/plugins/flatRateShipping.ts'
const required = {
  DATABASE_URL: 'postgres://db/shop',
  REDIS_URL: 'redis://cache',
  SMTP_URL: 'smtp://mail',
  SECRET_KEY: '0123456789abcdef'.repeat(4),
}

let directory: string
beforeAll(async () => {
  directory = await temporaryDirectory()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

let made = 0
/** Writes a module; its path. */
async function moduleOf(text: string): Promise<string> {
  made += 1
  const path = join(directory, `plugin${made}.js`)
  await writeFile(path, text)
  return path
}

const withProviders = (providers: string) =>
  moduleOf(`export default { name: 'a-plugin', setup: () => (${providers}) }`)

const load = (plugins: string[], settings: Record<string, string> = {}) =>
  loadPlugins(loadConfig({ ...required, ...settings, PLUGINS: plugins.join(',') }))

const payment = `{ payment: { name: 'acme', signatureHeader: 'acme-signature', charge() {},
  cancel() {},
  refund() {}, readCallback() {}, list() {} } }`

describe('a module of PLUGINS', () => {
  it('that is missing is named', async () => {
    await expect(load(['./no/such.ts'])).rejects.toThrow(/^PLUGINS: \.\/no\/such\.ts cannot be loa/)
    await expect(load(['no-such-package'])).rejects.toThrow(
      /^PLUGINS: no-such-package cannot be lo/,
    )
  })

  it.each([
    ['throw new Error("boom")', 'cannot be loaded: boom'],
    ['export const plugin = {}', 'must export as default'],
    ['export default { name: "A B", setup: () => ({}) }', 'must export as default'],
    ['export default { name: "a", setup() { throw new Error("no key") } }', 'setup failed: no key'],
    ['export default { name: "a", setup: () => undefined }', 'setup must answer an object'],
    ['export default { name: "a", setup: () => ({}) }', 'registers no provider'],
    ['export default { name: "a", setup: () => ({ taxes: {} }) }', 'no kind taxes of provider'],
    ['export default { name: "a", setup: () => ({ tax: {} }) }', 'tax provider has no function ch'],
  ])('with %s is refused', async (text, fault) => {
    const path = await moduleOf(text)
    await expect(load([path])).rejects.toThrow(`PLUGINS: ${path} `)
    await expect(load([path])).rejects.toThrow(fault)
  })

  it('is refused beside another one that registers the same kind', async () => {
    const other = await withProviders('{ shipping: { charges: () => [] } }')
    await expect(load([example, other])).rejects.toThrow(
      `PLUGINS: ${example} and ${other} both register shipping`,
    )
  })

  it('registers payment with PAYMENT_PROVIDER=plugin, and only then', async () => {
    const path = await withProviders(payment)
    await expect(load([path])).rejects.toThrow('set PAYMENT_PROVIDER to plugin')
    const plugin = { PAYMENT_PROVIDER: 'plugin' }
    expect((await load([path], plugin)).payment).toMatchObject({ name: 'acme' })
    await expect(load([example], plugin)).rejects.toThrow('no module of PLUGINS registers payment')
  })
})

describe('npm run test:plugin', () => {
  const test = (...args: string[]) => runProgram(['tools/testPlugin.ts', ...args], {})

  it('passes the example', async () => {
    const { code, stdout, stderr } = await test(example)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^(ok {4}shipping: .*\n)+$/)
  })

  it('names what fails', async () => {
    const path = await withProviders(`{
      tax: { charges: ({ lines }) => [{ code: 'T', name: 'T',
        amount: { amount: lines[0].total.amount * 0.2, currency: 'GBP' } }] },
      mail: { send: async () => 'sent' },
      ${payment.slice(1, -1)},
    }`)
    const { code, stdout, stderr } = await test(path)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^\d+ of the checks/),
    })
    expect(stdout).toContain('FAIL  tax: answers for an order of one piece: /0/amount/amount')
    expect(stdout).toContain('ok    tax: answers for an order of goods that are free')
    expect(stdout).toContain('FAIL  mail: sends a mail: it failed with EANSWER')
    expect(stdout).toContain('FAIL  payment: charges once for one paymentId')
  })

  it('says how it is used', async () => {
    expect(await test('--help')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage/) })
    expect(await test()).toMatchObject({ code: 2 })
  })
})
