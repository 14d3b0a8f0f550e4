// What npm runs after an install: without the tools that build the console (npm ci --omit=dev) it
// is built here and now, so that a production install serves it from the first start on, and what
// such an install never runs is taken out of it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pruneInstall } from './pruneInstall.js'

const project = join(import.meta.dirname, '..')
const hasTools = existsSync(join(project, 'node_modules/vite'))

if (!hasTools) {
  const script = join(project, 'console/build.ts')
  const { status } = spawnSync('node', ['--import', './tools/needsNode.js', script], {
    cwd: project,
    stdio: 'inherit',
  })
  // The shop runs without it, and an install without a network must not fail for it.
  if (status !== 0) console.error('The console was not built: npm run console:build does it later')
  pruneInstall(join(project, 'node_modules'))
}
