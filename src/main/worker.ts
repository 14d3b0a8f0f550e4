// Entry point of a worker process: projections, reactions and jobs, no HTTP.
import { startProcess } from './process.ts'

await startProcess({ api: false, workers: true }, 'Keeps read models up to date and does the jobs.')
