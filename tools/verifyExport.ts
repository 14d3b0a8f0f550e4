// npm run verify-export: verifies an export of the log with nothing but files and public keys.

import { access } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openCheckpoint } from '../src/infra/audit/checkpointSeals.ts'
import { parsePosition, startOfLog } from '../src/kit/position.ts'
import {
  checkExport,
  type ExportFiles,
  faultLines,
  UnreadableExport,
} from '../src/workers/audit/exportCheck.ts'
import { main, Refusal, UsageError } from './withApp.ts'

const usage = `Usage: npm run verify-export -- --events FILE --checkpoints FILE --keys FILE
         [--outside FILE] [--after POSITION]

Computes the hash chain over an export of the log anew and compares it with the signed checkpoints.
It needs no shop, no database and no network: docs/audit.md says what is computed.

  --events FILE        GET /api/audit/events with accept: application/x-ndjson; may be gzip, as
                       the checkpoints may
  --checkpoints FILE   GET /api/audit/checkpoints with accept: application/x-ndjson
  --keys FILE          GET /.well-known/audit-jwks.json, kept where the shop cannot change it
  --outside FILE       checkpoints that were kept elsewhere (AUDIT_DIR/checkpoints.ndjson, mails):
                       they tell when the log was signed anew, or when its end is cut off
  --after POSITION     the export begins behind this checkpoint (?after=) and is verified from
                       there; without it the events before are missing

It names the first 20 events that are missing, changed, added or out of order, and says how many.
Exit codes: 0 everything that is signed agrees, 1 something does not, 2 wrong usage.`

await main(async () => {
  const files = readArguments()
  if (files === undefined) return console.log(usage)
  const names = [files.events, files.checkpoints, files.keys, files.outside ?? []].flat()
  await Promise.all(names.map(isThere))
  const verified = await verify(files)
  const { count, signed, after, signedUpTo, unsigned } = verified
  if (count > 0) throw new Refusal(faultLines(verified).join('\n'))
  const from = after > startOfLog ? `behind position ${after} and ` : ''
  console.log(`OK: ${signed} events ${from}up to position ${signedUpTo} are as signed.`)
  if (after > startOfLog) console.log(`Nothing is said of the events up to position ${after}.`)
  if (unsigned > 0) console.log(`${unsigned} events behind them are not signed yet.`)
})

function readArguments(): ExportFiles | undefined {
  try {
    const text = { type: 'string' } as const
    const help = { type: 'boolean', short: 'h' } as const
    const files = { events: text, checkpoints: text, keys: text, outside: text, after: text }
    const { values } = parseArgs({ options: { ...files, help } })
    if (values.help) return undefined
    const { events, checkpoints, keys, outside, after = '' } = values
    if (events && checkpoints && keys && /^\d{0,18}$/.test(after)) {
      const start = after === '' ? undefined : parsePosition(after)
      return { events, checkpoints, keys, outside, after: start }
    }
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
    if (error instanceof RangeError) throw new Refusal('a line is nested deeper than any event')
    throw error
  }
}
