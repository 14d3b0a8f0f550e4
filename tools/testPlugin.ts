// npm run test:plugin: holds a plugin to the contract of the ports that it implements.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadPlugin } from '../src/main/plugins.ts'
import { checksOf } from './pluginContract.ts'
import { main, Refusal, UsageError } from './withApp.ts'

const usage = `Usage: npm run test:plugin -- [--currency CODE] MODULE

Loads a plugin as the shop does, calls its providers with sample orders, payments and mails, and
prints a line for each check.

  MODULE           a path that begins with . or /, or the name of an installed package
  --currency CODE  the currency of the samples (default: GBP)
  -h, --help       shows this

A payment provider is asked to charge and to refund 12.34, a mail provider to send a mail to
customer@example.com: give them test keys.

Exit codes: 0 every check holds, 1 at least one fails, 2 wrong usage.`

await main(async () => {
  const options = readArguments()
  if (options === undefined) return console.log(usage)
  const { currency } = options
  // npm changes to its own directory; paths are meant from where it was called.
  const from = process.env.INIT_CWD ?? '.'
  const module = /^\./.test(options.module) ? resolve(from, options.module) : options.module
  const mailFrom = 'Orderstream <orders@example.com>'
  const providers = await loadPlugin(module, { currency, shopName: 'Orderstream', mailFrom })
  let failed = 0
  for (const { name, run } of checksOf(providers, currency)) {
    const fault = await run().then(
      () => undefined,
      error => (error instanceof Error ? error.message : String(error)),
    )
    if (fault !== undefined) failed += 1
    console.log(fault === undefined ? `ok    ${name}` : `FAIL  ${name}: ${fault}`)
  }
  await providers.close?.()
  if (failed > 0) throw new Refusal(`${failed} of the checks failed`)
})

function readArguments(): { module: string; currency: string } | undefined {
  try {
    const { values, positionals } = parseArgs({
      options: { currency: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    if (values.help) return undefined
    const [module, ...more] = positionals
    const { currency = 'GBP' } = values
    if (module && more.length === 0 && /^[A-Z]{3}$/.test(currency)) return { module, currency }
  } catch {
    // The usage error below covers it.
  }
  throw new UsageError('Name one module: npm run test:plugin -- MODULE')
}
