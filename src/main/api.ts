// Entry point of an API process: serves HTTP, runs no workers.
import { startProcess } from './process.ts'

await startProcess({ api: true, workers: false }, 'Serves the shop over HTTP.')
