// Takes out of an install for production what nothing runs: headers to compile with, types, source
// maps, and the compiler. No TypeScript itself: any Node reads it.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const unread = /\.d\.[cm]?ts$|\.map$/
/** There only because a library of the queue board may be type-checked with it. */
const compilers = ['typescript', '@typescript']

/** Everything else stays as it is; `npm ci` brings all of it back. */
export function pruneInstall(modules) {
  for (const name of compilers) rmSync(join(modules, name), { recursive: true, force: true })
  for (const name of ['tsc', 'tsserver']) rmSync(join(modules, '.bin', name), { force: true })
  prune(modules)
}

function prune(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isFile() && unread.test(entry.name)) rmSync(path)
    if (!entry.isDirectory()) continue
    if (existsSync(join(path, 'node/node_api.h'))) rmSync(path, { recursive: true })
    else prune(path)
  }
}
