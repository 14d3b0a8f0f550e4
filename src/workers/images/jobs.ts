// Makes the sizes of images as BullMQ jobs. The outbox is the truth, Redis only the queue.

import type { ConnectionOptions } from 'bullmq'
import { type Kysely, sql } from 'kysely'
import {
  type FileStore,
  type Imaging,
  originalName,
  renditionName,
} from '../../commands/imagePorts.ts'
import { variants } from '../../domain/image.ts'
import { cutText } from '../../domain/text.ts'
import type { Tables } from '../../projections/tables.ts'
import { type JobQueue, onceAtATime, startJobQueue } from '../jobQueue.ts'
import type { Log } from '../log.ts'

export interface ImageJobParts {
  db: Kysely<Tables>
  files: FileStore
  imaging: Imaging
  connection: ConnectionOptions
  log: Log
}

interface ImageKey {
  hash: string
}

const sweepMs = 5_000
const sweepMax = 1_000
/** A file that failed this often will not be better; it is shown at its own size. */
const attemptsMax = 20

/**
 * Starts the queue and its worker. `wake` enqueues what the outbox holds; so does a sweep every few
 * seconds, which also brings back what a lost Redis has forgotten.
 */
export function startImageJobs(parts: ImageJobParts) {
  const { log } = parts
  const queue = startJobQueue<ImageKey>({
    ...parts,
    name: 'images',
    // Scaling uses every core by itself.
    concurrency: 1,
    work: key => makeSizes(parts, key),
    naming: key => key,
  })
  const { wake, settled } = onceAtATime(() =>
    enqueue(parts.db, queue).catch(error =>
      log.warn({ error: String(error) }, 'images not queued yet'),
    ),
  )
  const sweep = setInterval(wake, sweepMs)
  wake()
  return {
    wake,
    async close() {
      clearInterval(sweep)
      await settled()
      await queue.close()
    },
  }
}

async function enqueue(db: Kysely<Tables>, queue: JobQueue<ImageKey>): Promise<void> {
  const { rows } = await sql<ImageKey>`
    select hash
    from shop.image_jobs
    where made_at is null and attempts < ${attemptsMax}
    order by queued_at
    limit ${sweepMax}
  `.execute(db)
  await queue.add(rows.map(data => ({ id: data.hash, name: 'scale', data })))
}

async function makeSizes({ db, files, imaging }: ImageJobParts, { hash }: ImageKey) {
  try {
    const original = await files.get(originalName(hash))
    if (original === undefined) throw new Error('the file is missing')
    for (const [variant, longerSide] of Object.entries(variants)) {
      await files.put(renditionName(hash, variant), await imaging.render(original, longerSide))
    }
    await sql`
      update shop.image_jobs
      set made_at = now(), attempts = attempts + 1, last_error = null
      where hash = ${hash}
    `.execute(db)
  } catch (error) {
    await sql`
      update shop.image_jobs
      set attempts = attempts + 1, last_error = ${cutText(String(error), 500)}
      where hash = ${hash}
    `.execute(db)
    throw error
  }
}
