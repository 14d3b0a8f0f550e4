// Exports of the log as an auditor takes them, and the verifier that runs on them elsewhere.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from './servers.ts'
import { project } from './tidy/sources.ts'

export interface Export {
  events: string
  checkpoints: string
  keys: string
}

/** Everything that the offline verifier needs. */
export async function takeExport(url: string, token: string, query = ''): Promise<Export> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' }
  const fetchText = async (path: string) => (await fetch(`${url}${path}`, { headers })).text()
  return {
    events: await fetchText(`/api/audit/events${query}`),
    checkpoints: await fetchText('/api/audit/checkpoints'),
    keys: await fetchText('/.well-known/audit-jwks.json'),
  }
}

/** What the verifier says of an export, in a process that knows no server. */
export async function verifyExport(
  { events, checkpoints, keys }: Export,
  more: readonly string[] = [],
) {
  const directory = await temporaryDirectory()
  const file = async (name: string, text: string | Buffer) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  const args = [
    join(project, 'tools/verifyExport.ts'),
    ...['--events', await file('events.ndjson', events)],
    ...['--checkpoints', await file('checkpoints.ndjson', checkpoints)],
    ...['--keys', await file('keys.json', keys)],
    ...more,
  ]
  try {
    return await run(args)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Without settings: the verifier needs none. */
function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  const env = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }
  return new Promise(resolve => {
    execFile(process.execPath, [...args], { env }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1
      resolve({ code, output: `${stdout}${stderr}` })
    })
  })
}
