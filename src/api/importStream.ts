// The progress of a bulk import as server-sent events, until it has ended.
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasEnded, importProgress } from '../projections/productImportQueries.ts'
import type { ApiContext } from './context.ts'

const pollMs = 250
const heartbeatMs = 20_000

/** Writes an event whenever the import has moved; the last one is called `done`. */
export function followImport({ db }: ApiContext, importId: string, response: ServerResponse): void {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  const follow = async () => {
    let last = ''
    let writtenAt = performance.now()
    while (!gone.signal.aborted) {
      const progress = await importProgress(db, importId)
      if (progress === undefined) break
      const text = JSON.stringify(progress)
      const isDone = hasEnded(progress)
      if (text !== last || isDone) {
        response.write(`event: ${isDone ? 'done' : 'progress'}\ndata: ${text}\n\n`)
        writtenAt = performance.now()
      } else if (performance.now() - writtenAt > heartbeatMs) {
        response.write(':\n\n')
        writtenAt = performance.now()
      }
      if (isDone) break
      last = text
      await sleep(pollMs, undefined, { signal: gone.signal })
    }
  }
  follow()
    .catch(() => undefined)
    .finally(() => response.end())
}
