// Keeps what Node has made of our sources, so that the next start need not strip and parse them.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

const directory = join(import.meta.dirname, '../node_modules/.cache/orderstream')

/** For what is imported from now on. Where nothing can be written, nothing is kept. */
export function keepCompiled(): void {
  enableCompileCache(directory)
}

/** Writes down what there is by now: a process that is killed cannot. */
export function writeCompiled(): void {
  flushCompileCache()
}
