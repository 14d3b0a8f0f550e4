// Builds the admin console in a child process; the shop is ready before it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const script = join(import.meta.dirname, '../console/build.ts')

/** Builds it where that is needed, and says so. Returns what ends it early. */
export function buildConsoleInBackground(
  onMessage: (line: string) => void = () => undefined,
): () => void {
  const child = spawn(process.execPath, [script, '--quiet'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let isRunning = true
  const failed = () => {
    if (isRunning) onMessage('The console could not be built: npm run console:build says why')
  }
  child.stdout.setEncoding('utf8').on('data', text => onMessage(String(text).trimEnd()))
  child.on('error', failed)
  child.on('exit', code => {
    if (code !== 0) failed()
  })
  return () => {
    isRunning = false
    child.kill()
  }
}
