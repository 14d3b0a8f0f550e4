// npm run client: writes the types of the HTTP API, for a client that the compiler checks.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'

const usage = `Usage: npm run client [-- --from URL|FILE] [--to FILE]

Writes the TypeScript types of every route, for openapi-fetch; examples/firstOrder.ts uses them.

  --from  the OpenAPI document, by default that of http://127.0.0.1:3000
  --to    where to, by default examples/api.d.ts`

/** The generator writes with the compiler of TypeScript 5, which 7 does not offer any more. */
const compiler = 'orderstream:typescript'
const source = `import { createRequire } from 'node:module'
export default createRequire(${JSON.stringify(import.meta.url)})('@ts-morph/common').ts`

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'typescript' ? { url: compiler, shortCircuit: true } : next(specifier, context),
  load: (url, context, next) =>
    url === compiler ? { format: 'module', source, shortCircuit: true } : next(url, context),
})

try {
  const { from = 'http://127.0.0.1:3000/openapi.json', to, help } = readArguments()
  if (help) console.log(usage)
  else {
    const target = to ?? 'examples/api.d.ts'
    const routes = await write(from, target)
    console.log(`The types of ${routes} routes are in ${target}`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function readArguments() {
  const options = {
    from: { type: 'string' },
    to: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const
  return parseArgs({ options }).values
}

async function write(from: string, to: string): Promise<number> {
  const { default: generate, astToString } = await import('openapi-typescript')
  const text = await read(from)
  const document = JSON.parse(text)
  const head = '// Generated from the OpenAPI document by npm run client: not to be edited.\n'
  const types = astToString(await generate(document))
  await mkdir(dirname(to), { recursive: true })
  await writeFile(to, head + types)
  return Object.keys(document.paths).length
}

async function read(from: string): Promise<string> {
  if (!/^https?:/.test(from)) return readFile(from, 'utf8')
  const response = await fetch(from).catch(() => undefined)
  if (response?.ok) return response.text()
  throw new Error(`There is no OpenAPI document at ${from}: is the shop running (npm start)?`)
}
