// Keeps what Node has made of our sources, so that the next start need not strip and parse them.
// Imported before everything else (`node --import`), and no TypeScript itself: Node's compiler,
// once loaded, stays in the memory of the process, and of each of its threads.
import './needsNode.js'
import module from 'node:module'
import { join } from 'node:path'

const startedMs = 10_000

// Where nothing can be written, nothing is kept. An older Node cannot do it, and has been told so.
module.enableCompileCache?.(join(import.meta.dirname, '../node_modules/.cache/orderstream'))
// Node writes it down when it ends, which a process that is killed cannot.
setTimeout(() => module.flushCompileCache?.(), startedMs).unref()
