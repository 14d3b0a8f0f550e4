// The workers of a shop that is one process, on a thread of their own: no request waits for a read
// model to be built, and they end with the process. The thread is told the settings and then to
// stop, and answers when it has done so.
import { once } from 'node:events'
import { parentPort } from 'node:worker_threads'
import { loadConfig } from '../src/config/config.ts'
import { startApp } from '../src/main/start.ts'

if (parentPort === null) throw new Error('this runs as a thread: npm run start:worker is for you')
const [settings] = await once(parentPort, 'message')
const app = await startApp(loadConfig(settings), { api: false, workers: true, isAllInOne: true })
parentPort.postMessage('started')
await once(parentPort, 'message')
await app.close()
process.exit()
