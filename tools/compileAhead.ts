// Lets Node make of the sources what API and workers need of them, before the first of these
// starts. Node keeps that apart for each set of flags, so it is given those of package.json.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const project = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
/** What they load only once they start for good. */
const late = { 'start:api': [], 'start:worker': ['--import', './src/main/startWorkers.ts'] }

for (const [name, also] of Object.entries(late)) {
  const words = String(scripts[name])
    .replace(/^exec node /, '')
    .split(' ')
  // Behind what begins to keep things, and before the entry.
  const told = [...words.slice(0, -1), ...also, ...words.slice(-1), '--help']
  const { status } = spawnSync(process.execPath, told, { cwd: project })
  if (status !== 0) throw new Error(`what ${name} needs could not be compiled`)
}
