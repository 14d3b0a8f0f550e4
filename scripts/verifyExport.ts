// npm run verify-export: verifies an export of the log with nothing but files and public keys.
import { access } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openCheckpoint } from '../src/infra/checkpointSeals.ts'
import {
  checkExport,
  type ExportFiles,
  UnreadableExport,
} from '../src/workers/audit/exportCheck.ts'
import { main, Refusal, UsageError } from './withShop.ts'

const usage = `Usage: npm run verify-export -- --events FILE --checkpoints FILE --keys FILE

Computes the hash chain over an export of the log anew and compares it with the signed checkpoints.
It needs no shop, no database and no network: docs/audit.md says what is computed.

  --events FILE        GET /api/audit/events with accept: application/x-ndjson
  --checkpoints FILE   GET /api/audit/checkpoints with accept: application/x-ndjson
  --keys FILE          GET /.well-known/audit-jwks.json, kept where the shop cannot change it
                       (and so should be some checkpoints: they tell when the end is cut off)

An export that begins behind a position (?after=) is verified from the checkpoint there.
Exit codes: 0 everything that is signed agrees, 1 the first position that does not, 2 wrong usage.`

await main(async () => {
  const files = readArguments()
  if (files === undefined) return console.log(usage)
  await Promise.all(Object.values(files).map(isThere))
  const { fault, signed, signedUpTo, unsigned } = await verify(files)
  if (fault !== undefined) {
    throw new Refusal(`${fault.problem} at position ${fault.position}: ${fault.detail}`)
  }
  console.log(`OK: ${signed} events up to position ${signedUpTo} are as signed.`)
  if (unsigned > 0) console.log(`${unsigned} events behind them are not signed yet.`)
})

function readArguments(): ExportFiles | undefined {
  try {
    const text = { type: 'string' } as const
    const help = { type: 'boolean', short: 'h' } as const
    const { values } = parseArgs({ options: { events: text, checkpoints: text, keys: text, help } })
    if (values.help) return undefined
    const { events, checkpoints, keys } = values
    if (events && checkpoints && keys) return { events, checkpoints, keys }
  } catch {
    // Said below.
  }
  throw new UsageError('name the three files')
}

async function isThere(file: string): Promise<void> {
  await access(file).catch(() => {
    throw new UsageError(`${file} cannot be read`)
  })
}

async function verify(files: ExportFiles) {
  try {
    return await checkExport(files, openCheckpoint)
  } catch (error) {
    if (error instanceof UnreadableExport) throw new Refusal(error.message)
    throw error
  }
}
