// Runs bulk imports as BullMQ jobs. The tables are the truth, Redis only the queue.

import { type ConnectionOptions, Queue, Worker } from 'bullmq'
import type { Kysely } from 'kysely'
import type { UndoParts } from '../../../commands/catalogue/undoProduct.ts'
import { withDeadline } from '../../../kit/deadline.ts'
import type { Position } from '../../../kit/position.ts'
import type { ImportSeals } from '../../../ports/imports.ts'
import type { Log } from '../../../ports/log.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { closeOf, drained } from '../../jobs/jobQueue.ts'
import {
  dropStrayChunks,
  dueImports,
  ImportMoved,
  isGenuine,
  loadImport,
  refuseForged,
} from './importTables.ts'
import { runImport } from './runImport.ts'
import { undoImport } from './undoImport.ts'

export interface ProductImportDeps extends UndoParts {
  db: Kysely<Tables>
  connection: ConnectionOptions
  log: Log
  importSeals: ImportSeals
  ownWrites: { note(person: string, position: Position): Promise<unknown> }
}

interface ImportKey {
  importId: string
}

const queueName = 'imports'
const sweepMs = 2_000
const pollMsMax = 60_000
const straySweepMs = 3_600_000
const attempts = 5

/**
 * Starts the queue and its worker. `wake` enqueues what waits; so does a sweep, which also brings
 * back what a lost Redis has forgotten and what a worker that went away has left behind.
 */
export function startProductImports(deps: ProductImportDeps) {
  const { db, log, connection } = deps
  const ending = new AbortController()
  const queue = new Queue<ImportKey>(queueName, { connection })
  const worker = new Worker<ImportKey>(
    queueName,
    job => work(deps, job.data.importId, ending.signal),
    {
      connection: { ...connection, maxRetriesPerRequest: null },
      concurrency: 2,
      // A worker that is killed twice must not lose the job (the default is 1).
      maxStalledCount: 20,
      lockDuration: 5_000,
      stalledInterval: 2_000,
    },
  )
  const endWorker = closeOf(worker)
  queue.on('error', error => log.warn({ error: error.message }, 'import queue'))
  worker.on('error', error => log.warn({ error: error.message }, 'import worker'))
  worker.on('failed', (job, error) =>
    log.warn({ importId: job?.data.importId, error: error.message }, 'import interrupted'),
  )

  let enqueuing: Promise<void> = Promise.resolve()
  const wake = () => {
    enqueuing = enqueuing
      .then(() => withDeadline(pollMsMax, 'the imports that wait', enqueue(db, queue)))
      .catch(error => log.warn({ error: String(error) }, 'imports not queued yet'))
  }
  // The next import of the same person.
  worker.on('completed', () => wake())
  const sweep = setInterval(wake, sweepMs)
  const straySweep = setInterval(() => {
    dropStrayChunks(db).catch(error => log.warn({ error: String(error) }, 'uploads not swept'))
  }, straySweepMs)
  wake()
  return {
    wake,
    async close() {
      clearInterval(sweep)
      clearInterval(straySweep)
      ending.abort()
      await drained(enqueuing)
      await endWorker()
      await queue.close()
    },
  }
}

async function enqueue(db: Kysely<Tables>, queue: Queue<ImportKey>): Promise<void> {
  const due = await dueImports(db)
  await queue.addBulk(
    due.map(importId => ({
      name: 'import',
      data: { importId },
      opts: {
        // The same job again is no job while the first is in the queue; the tables know the rest.
        jobId: importId,
        attempts,
        backoff: { type: 'exponential', delay: 1_000 },
        removeOnComplete: true,
        removeOnFail: true,
      },
    })),
  )
}

async function work(deps: ProductImportDeps, importId: string, signal: AbortSignal): Promise<void> {
  const job = await loadImport(deps.db, importId)
  if (job === undefined) return
  const { db, log, importSeals: seals, ownWrites, eventStore } = deps
  const noteWrites = async (person: string) => {
    await ownWrites.note(person, await eventStore.head())
  }
  if (!isGenuine(seals, job)) {
    log.warn({ event: 'import-forged', importId }, 'an import that the shop has not asked for')
    return refuseForged(db, job)
  }
  try {
    if (job.status === 'undoing') await undoImport({ ...deps, noteWrites, signal }, job)
    else if (/^(queued|running|cancelling)$/.test(job.status)) {
      await runImport({ ...deps, seals, noteWrites, signal }, job)
    }
  } catch (error) {
    // Another run has taken this import over.
    if (!(error instanceof ImportMoved)) throw error
  }
}
