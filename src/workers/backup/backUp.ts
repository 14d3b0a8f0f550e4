// Backs a shop up while it serves: its tables as they are at one moment, the log up to then, files.

import { readdir, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import type { ManifestSeal, TableCopies, TableRows } from '../../ports/backup.ts'
import type { ErasureList } from '../../ports/erasure.ts'
import type { EventStore } from '../../ports/eventStore.ts'
import { type ArchivedFile, copyFiles, DamagedBackup, writeLines } from './archive.ts'
import { createContentHash, eventLine } from './logLines.ts'
import { type Manifest, manifestFile, writeManifest } from './manifest.ts'

export const logFile = 'events.ndjson.gz'
export const erasuresFile = 'erasures.ndjson.gz'
export const filesDirectory = 'files'

export interface BackupDeps {
  tables: TableCopies
  eventStore: Pick<EventStore, 'head' | 'readAll'>
  erasures: Pick<ErasureList, 'all'>
  /** Where images are. */
  filesDirectory: string
  seal: ManifestSeal
  now(): Date
  /** Called with the number of events written, and the position reached. */
  onProgress?: (events: number, position: Position, head: Position) => void
}

const eventsAtOnce = 1_000
const imageAdded: ReadonlySet<string> = new Set(['ProductImageAdded', 'CategoryImageSet'])

/**
 * Writes a backup into a directory that is empty or not there yet. What is written after the moment
 * at which it began is not in it, but for keys and erasures: whoever is erased meanwhile stays
 * erased. Throws DamagedBackup where the directory is in use.
 */
export async function backUp(deps: BackupDeps, directory: string): Promise<Manifest> {
  if (`${resolve(directory)}${sep}`.startsWith(`${resolve(deps.filesDirectory)}${sep}`)) {
    throw new DamagedBackup(`${directory} is in FILES_DIR, which is backed up: choose another one`)
  }
  await makeDirectory(directory, 0o700)
  const before = await readdir(directory)
  if (before.length > 0) {
    throw new DamagedBackup(
      before.includes(manifestFile)
        ? `${directory} is not empty, it holds a backup: choose another directory`
        : `${directory} is not empty, and no whole backup: empty it, or choose another directory`,
    )
  }
  const { shop, migrations } = await deps.tables.describe()
  const files: ArchivedFile[] = []
  const tables: Manifest['tables'] = []
  const addTable = async (copied: TableRows) => {
    const { file, entry } = await writeTable(directory, copied)
    files.push(file)
    tables.push(entry)
  }
  let head = startOfLog
  const onMoment = async (known: Position | undefined) => {
    head = known ?? (await deps.eventStore.head())
  }
  for await (const copied of deps.tables.copyOut(onMoment)) await addTable(copied)
  const { file, log, hasImages } = await writeLog(deps, directory, head)
  const copies = await copyFiles(deps.filesDirectory, directory, filesDirectory)
  if (hasImages && copies.length === 0) await assertThere(deps.filesDirectory)
  files.push(file, ...copies)
  await addTable(deps.tables.personKeys())
  const erased = await deps.erasures.all()
  const lines = erased.map(({ customerId, at }) => JSON.stringify({ customerId, at }))
  files.push(await writeLines(directory, erasuresFile, inOne(lines)))
  const manifest: Manifest = {
    format: 1,
    createdAt: deps.now().toISOString(),
    ...shop,
    migrations,
    log,
    erased: erased.length,
    tables,
    files,
  }
  await writeManifest(directory, manifest, deps.seal)
  return manifest
}

/** The shop makes the directory of its images when it starts: where it is not, it is elsewhere. */
async function assertThere(images: string): Promise<void> {
  await stat(images).catch(() => {
    throw new DamagedBackup(
      `FILES_DIR: ${images} is not there, but the shop has images: set FILES_DIR as the shop does`,
    )
  })
}

async function writeTable(directory: string, { table, rows }: TableRows) {
  const path = `tables/${table}.ndjson.gz`
  let count = 0
  const counted = async function* () {
    for await (const some of rows) {
      count += some.length
      yield some
    }
  }
  const file = await writeLines(directory, path, counted())
  return { file, entry: { table, path, rows: count } }
}

async function writeLog(deps: BackupDeps, directory: string, head: Position) {
  const { eventStore, onProgress = () => undefined } = deps
  const content = createContentHash()
  let events = 0
  let hasImages = false
  let position = startOfLog
  const lines = async function* () {
    let some: string[] = []
    for await (const event of eventStore.readAll()) {
      if (event.position > head) break
      content.add(event)
      some.push(eventLine(event))
      events += 1
      hasImages ||= imageAdded.has(event.type)
      position = event.position
      if (some.length < eventsAtOnce) continue
      yield some
      some = []
      onProgress(events, position, head)
    }
    yield some
    onProgress(events, head, head)
  }
  const file = await writeLines(directory, logFile, lines())
  const log = { events, position: String(position), content: content.digest() }
  return { file, log, hasImages }
}

async function* inOne<T>(value: T): AsyncGenerator<T> {
  yield value
}
