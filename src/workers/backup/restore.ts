// Restores a backup into an empty database and an empty log, of either kind, and proves that the
// log is the one that was backed up.
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import type { MovedEvent, RestoreLog, RestoreTarget } from '../../ports/backup.ts'
import type { ErasureList } from '../../ports/erasure.ts'
import type { RecordedEvent } from '../../ports/eventStore.ts'
import { checkFile, DamagedBackup, readLines } from './archive.ts'
import { erasuresFile, filesDirectory, logFile } from './backUp.ts'
import { createContentHash, eventOf } from './logLines.ts'
import type { Manifest } from './manifest.ts'

export interface RestoreDeps {
  target: RestoreTarget
  log: RestoreLog
  /** Where images go. */
  filesDirectory: string
  /** Called with the progress of each step. */
  onProgress?: (step: 'files' | 'tables' | 'log' | 'comparing', done: number, of: number) => void
}

const Listed = Compile(Type.Array(Type.Object({ customerId: Type.String(), at: Type.String() })))

/** The place that a backup is to be put into holds something already. */
export class NotEmpty extends Error {}

/** Throws DamagedBackup where a file of a backup is missing, cut off or changed. */
export async function checkBackup(
  directory: string,
  { files }: Manifest,
  onProgress: RestoreDeps['onProgress'] = () => undefined,
): Promise<void> {
  for (const [index, file] of files.entries()) {
    await checkFile(directory, file)
    onProgress('files', index + 1, files.length)
  }
}

/**
 * Puts tables, log and files of a checked backup back. Read models are empty afterwards; no shop
 * starts on the database before `finish` of its target: what was broken off is done again with an
 * empty one. Throws NotEmpty before anything is written, and DamagedBackup.
 */
export async function restore(
  directory: string,
  manifest: Manifest,
  deps: RestoreDeps,
): Promise<void> {
  const { target, log } = deps
  const occupied = await target.occupied()
  if (occupied !== undefined) throw new NotEmpty(occupied)
  if (log.eventStore === 'eventstoredb') await refuseEvents(log)
  await target.migrateTo(manifest.migrations)
  const hasMoved = log.eventStore !== manifest.eventStore || log.eventStore === 'eventstoredb'
  await restoreTables(directory, manifest, deps)
  await writeLog(directory, manifest, deps)
  const first = await compare(directory, manifest, deps)
  if (hasMoved) await target.move(movedEvents(directory, log))
  await restoreFiles(directory, manifest, deps.filesDirectory)
  await target.adopt(log.eventStore, log.eventStore === 'eventstoredb' ? first : null)
}

/** A log in the database is new with it; one elsewhere may be that of another shop. */
async function refuseEvents(log: RestoreLog): Promise<void> {
  for await (const { stream } of log.readAll()) {
    throw new NotEmpty(
      `EVENTSTORE_URL names a log that holds events of a shop (${stream}): ` +
        'restore into an empty one, or under an EVENTSTORE_STREAM_PREFIX not used there yet',
    )
  }
}

async function restoreTables(
  directory: string,
  { tables }: Manifest,
  { target, onProgress }: RestoreDeps,
): Promise<void> {
  const all = tables.reduce((sum, { rows }) => sum + rows, 0)
  let done = 0
  for (const { table, path } of tables) {
    for await (const rows of readLines(directory, path)) {
      await target.copyIn(table, rows)
      done += rows.length
      onProgress?.('tables', done, all)
    }
  }
}

async function writeLog(
  directory: string,
  manifest: Manifest,
  { log, onProgress }: RestoreDeps,
): Promise<void> {
  let written = 0
  let writing = Promise.resolve()
  for await (const lines of readLines(directory, logFile)) {
    const events = lines.map(eventOf)
    await writing
    writing = log.write(events).then(() => {
      written += events.length
      onProgress?.('log', written, manifest.log.events)
    })
    // Awaited later, while the next events are unpacked.
    writing.catch(() => undefined)
  }
  await writing
}

/** Reads what has been written back; the id of the first event. Throws DamagedBackup. */
async function compare(
  directory: string,
  { log: expected }: Manifest,
  { log, onProgress }: RestoreDeps,
): Promise<string | null> {
  const content = createContentHash()
  let first: string | null = null
  let events = 0
  for await (const event of log.readAll()) {
    content.add(event)
    first ??= event.id
    events += 1
    if (events % 1_000 === 0) onProgress?.('comparing', events, expected.events)
  }
  onProgress?.('comparing', events, expected.events)
  if (events === expected.events && content.digest() === expected.content) return first
  throw new DamagedBackup(
    `the log that was written from ${directory} has ${events} events and is not the one that was ` +
      `backed up, which has ${expected.events}`,
  )
}

/** Where each event was, and where it is. */
async function* movedEvents(
  directory: string,
  log: RestoreLog,
): AsyncGenerator<readonly MovedEvent[]> {
  const now = log.readAll()[Symbol.asyncIterator]()
  for await (const lines of readLines(directory, logFile)) {
    const some: MovedEvent[] = []
    for (const line of lines) {
      const next: IteratorResult<RecordedEvent> = await now.next()
      if (next.done) throw new DamagedBackup('the restored log is shorter than the one backed up')
      some.push({ before: eventOf(line).position, now: next.value.position })
    }
    yield some
  }
}

/** Copies the files of a backup to where the shop has them. */
async function restoreFiles(directory: string, { files }: Manifest, to: string): Promise<void> {
  const under = `${filesDirectory}/`
  for (const { path } of files.filter(each => each.path.startsWith(under))) {
    const file = join(to, path.slice(under.length))
    await makeDirectory(dirname(file))
    await copyFile(join(directory, path), file)
  }
}

/** Adds whom the shop had forgotten by the time of a backup to its list. Throws Unavailable. */
export async function restoreErasures(
  directory: string,
  erasures: Pick<ErasureList, 'add'>,
): Promise<void> {
  for await (const lines of readLines(directory, erasuresFile)) {
    const people = lines.map((line): unknown => JSON.parse(line))
    if (!Listed.Check(people)) throw new DamagedBackup(`${erasuresFile} is not understood`)
    await erasures.add(people.map(({ customerId, at }) => ({ customerId, at: new Date(at) })))
  }
}
