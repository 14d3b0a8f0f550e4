// npm run bench: measures against limits found in the same run; prints tables and keeps JSON.
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { readEnvironment } from '../src/config.ts'
import { append } from './append.ts'
import { type BenchDatabase, withDatabase } from './database.ts'
import { type Report, save, table } from './harness.ts'
import { read } from './read.ts'

const benchmarks: Record<string, (database: BenchDatabase, quick: boolean) => Promise<Report>> = {
  append,
  read,
}

const usage = `Usage: npm run bench                     all benchmarks
       npm run bench -- append read      some of them: ${Object.keys(benchmarks).join(', ')}
       npm run bench -- append --quick   a short look, in seconds

Runs on a PostgreSQL of its own in a temporary directory, or on a fresh database of the server that
DATABASE_URL names. Results go to bench/results/ as JSON.`

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const options = { help: { type: 'boolean', short: 'h' }, quick: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.help) {
    console.log(usage)
    return
  }
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks)
  const unknown = names.filter(name => !Object.hasOwn(benchmarks, name))
  if (unknown.length > 0) throw new Error(`no benchmark is called ${unknown.join(', ')}\n${usage}`)
  for (const name of names) await run(name, values.quick ?? false)
}

async function run(name: string, quick: boolean): Promise<void> {
  const url = readEnvironment().DATABASE_URL || undefined
  await withDatabase(url, async database => {
    console.log(`${name}: measuring`)
    const report = await benchmarks[name]?.(database, quick)
    if (report === undefined) return
    const file = await save(report, { quick, postgres: database.settings })
    console.log(`\n${table(report)}\n\n  kept in ${relative(process.cwd(), file)}\n`)
  })
}
