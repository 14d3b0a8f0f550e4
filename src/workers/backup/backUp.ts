// Backs a shop up while it serves: its tables as they are at one moment, the log up to then, files.
import { readdir } from 'node:fs/promises'
import type { ManifestSeal, TableCopies, TableRows } from '../../commands/backupPorts.ts'
import type { ErasureList } from '../../commands/erasurePorts.ts'
import type { EventStore } from '../../eventstore/port.ts'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import { type ArchivedFile, copyFiles, DamagedBackup, writeLines } from './archive.ts'
import { createContentHash, eventLine } from './logLines.ts'
import { type Manifest, writeManifest } from './manifest.ts'

export const logFile = 'events.ndjson.gz'
export const erasuresFile = 'erasures.ndjson.gz'
export const filesDirectory = 'files'

export interface BackupParts {
  tables: TableCopies
  eventStore: Pick<EventStore, 'head' | 'readAll'>
  erasures: Pick<ErasureList, 'all'>
  /** Where images are. */
  filesDirectory: string
  seal: ManifestSeal
  now(): Date
  /** Told how many events have been written, and the position that the log is written up to. */
  onProgress?: (events: number, position: bigint, head: bigint) => void
}

const eventsAtOnce = 1_000

/**
 * Writes a backup into a directory that is empty or not there yet. What is written after the moment
 * at which it began is not in it, but for keys and erasures: whoever is erased meanwhile stays
 * erased. Throws DamagedBackup where the directory is in use.
 */
export async function backUp(parts: BackupParts, directory: string): Promise<Manifest> {
  await makeDirectory(directory, 0o700)
  const before = await readdir(directory)
  if (before.length > 0) {
    throw new DamagedBackup(`${directory} is not empty: a backup has a directory of its own`)
  }
  const { shop, migrations } = await parts.tables.describe()
  const files: ArchivedFile[] = []
  const tables: Manifest['tables'] = []
  const keep = async (copied: TableRows) => {
    const { file, entry } = await writeTable(directory, copied)
    files.push(file)
    tables.push(entry)
  }
  let head = 0n
  const onMoment = async (known: bigint | undefined) => {
    head = known ?? (await parts.eventStore.head())
  }
  for await (const copied of parts.tables.copyOut(onMoment)) await keep(copied)
  const { file, log } = await writeLog(parts, directory, head)
  files.push(file, ...(await copyFiles(parts.filesDirectory, directory, filesDirectory)))
  await keep(parts.tables.personKeys())
  const erased = await parts.erasures.all()
  const lines = erased.map(({ customerId, at }) => JSON.stringify({ customerId, at }))
  files.push(await writeLines(directory, erasuresFile, inOne(lines)))
  const manifest: Manifest = {
    format: 1,
    createdAt: parts.now().toISOString(),
    ...shop,
    migrations,
    log,
    erased: erased.length,
    tables,
    files,
  }
  await writeManifest(directory, manifest, parts.seal)
  return manifest
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

async function writeLog(parts: BackupParts, directory: string, head: bigint) {
  const { eventStore, onProgress = () => undefined } = parts
  const content = createContentHash()
  let events = 0
  let position = 0n
  const lines = async function* () {
    let some: string[] = []
    for await (const event of eventStore.readAll()) {
      if (event.position > head) break
      content.add(event)
      some.push(eventLine(event))
      events += 1
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
  return { file, log: { events, position: String(position), content: content.digest() } }
}

async function* inOne<T>(value: T): AsyncGenerator<T> {
  yield value
}
