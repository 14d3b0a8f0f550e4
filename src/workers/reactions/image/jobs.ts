// Makes the sizes of images as BullMQ jobs. The outbox is the truth, Redis only the queue.

import type { ConnectionOptions } from 'bullmq'
import { type Kysely, sql } from 'kysely'
import { variants } from '../../../domain/catalogue/image.ts'
import { cutText } from '../../../domain/kernel/text.ts'
import { isTransient } from '../../../kit/transient.ts'
import { type FileStore, type Imaging, originalName, renditionName } from '../../../ports/images.ts'
import type { Log } from '../../../ports/log.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { type JobQueue, onceAtATime, startJobQueue } from '../../jobs/jobQueue.ts'

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
/** So many images of one person are in the queue at a time: others do not wait for more. */
const eachMax = 4
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
  const { notify: wake, settled } = onceAtATime(() =>
    enqueue(parts.db, queue).catch(error =>
      log.warn({ error: String(error) }, 'images not queued yet'),
    ),
  )
  queue.onDone(wake)
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
  const due = await dueImages(db)
  await queue.add(due.map(data => ({ id: data.hash, name: 'scale', data })))
}

/** Images whose sizes are to be made next, a few of each person. */
export async function dueImages(db: Kysely<Tables>): Promise<ImageKey[]> {
  const { rows } = await sql<ImageKey>`
    select hash
    from (
      select hash, queued_at,
        row_number() over (partition by requested_by order by attempts, queued_at, hash) as turn
      from shop.image_jobs
      where made_at is null and attempts < ${attemptsMax}
    ) due
    where turn <= ${eachMax}
    order by turn, queued_at
    limit ${sweepMax}
  `.execute(db)
  return rows
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
    // A full disk or a database that is away is no fault of the image.
    const counts = isTransient(error) ? 0 : 1
    await sql`
      update shop.image_jobs
      set attempts = attempts + ${counts}, last_error = ${cutText(String(error), 500)}
      where hash = ${hash}
    `.execute(db)
    throw error
  }
}
