// The files of a backup: compressed lines, each file with its size and its SHA-256.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, readdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { codeOf } from '../../kit/errorCode.ts'
import { makeDirectory } from '../../kit/makeDirectory.ts'

/** A file of a backup as its manifest has it; the path has slashes, whatever the machine. */
export interface ArchivedFile {
  path: string
  bytes: number
  sha256: string
}

/** A backup is not whole, or not what it says it is. */
export class DamagedBackup extends Error {}

const newline = 0x0a
/** The level costs: what is compressed more takes three times as long and a seventh less room. */
const compression = { level: 1 }
/** At a time: some 1,000 events, which are one statement where they are written. */
const unpackedBytes = 1_048_576
/** For the eyes of this account: a backup has what the database has. */
const mode = 0o600

/** Writes lines into a compressed file. Each element may hold many. */
export async function writeLines(
  directory: string,
  path: string,
  lines: AsyncIterable<readonly string[]>,
): Promise<ArchivedFile> {
  const file = join(directory, path)
  await makeDirectory(dirname(file), 0o700)
  const seen = createSum()
  const summing = new Transform({
    transform(chunk: Buffer, _, done) {
      seen.add(chunk)
      done(null, chunk)
    },
  })
  const texts = async function* () {
    for await (const some of lines) if (some.length > 0) yield `${some.join('\n')}\n`
  }
  const target = createWriteStream(file, { mode, flush: true })
  await pipeline(Readable.from(texts()), createGzip(compression), summing, target)
  return { path, ...seen.sum() }
}

/** The lines of a file, some at a time. Throws DamagedBackup for what cannot be unpacked. */
export async function* readLines(directory: string, path: string): AsyncGenerator<string[]> {
  const source = createReadStream(join(directory, path))
  const unpacked = createGunzip({ chunkSize: unpackedBytes })
  source.on('error', error => unpacked.destroy(error))
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of source.pipe(unpacked)) {
      const all: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const end = all.lastIndexOf(newline) + 1
      if (end > 0) yield all.toString('utf8', 0, end - 1).split('\n')
      rest = all.subarray(end)
    }
  } catch (error) {
    throw new DamagedBackup(`${path} cannot be read: ${String(error)}`, { cause: error })
  }
  if (rest.length > 0) throw new DamagedBackup(`${path} ends in the middle of a line`)
}

/**
 * Copies every file below a directory; there may be none. Throws DamagedBackup where the directory
 * cannot be read: a backup without what is in it would look whole.
 */
export async function copyFiles(
  from: string,
  directory: string,
  under: string,
): Promise<ArchivedFile[]> {
  const copied: ArchivedFile[] = []
  for (const name of await filesBelow(from)) {
    const path = `${under}/${name.split(sep).join('/')}`
    const file = join(directory, path)
    await makeDirectory(dirname(file), 0o700)
    await copyFile(join(from, name), file)
    copied.push({ path, ...(await sumOf(file)) })
  }
  return copied
}

/** Throws DamagedBackup where a file is not the one that was archived. */
export async function checkFile(directory: string, file: ArchivedFile): Promise<void> {
  const found = await sumOf(join(directory, file.path)).catch(error => {
    throw new DamagedBackup(`${file.path} cannot be read: ${String(error)}`, { cause: error })
  })
  if (found.bytes === file.bytes && found.sha256 === file.sha256) return
  throw new DamagedBackup(`${file.path} is not the file that was backed up`)
}

/** What is being written leaves when it is done: a temporary file is nobody's yet. */
async function filesBelow(directory: string): Promise<string[]> {
  const options = { recursive: true, withFileTypes: true } as const
  const entries = await readdir(directory, options).catch((error: unknown) => {
    const code = codeOf(error)
    if (code === 'ENOENT') return []
    throw new DamagedBackup(
      `FILES_DIR: ${directory} cannot be read (${code}): run this as the user of the shop`,
    )
  })
  return entries
    .filter(entry => entry.isFile() && !entry.name.endsWith('.tmp'))
    .map(entry => relative(directory, join(entry.parentPath, entry.name)))
    .sort()
}

async function sumOf(file: string): Promise<Omit<ArchivedFile, 'path'>> {
  const seen = createSum()
  for await (const chunk of createReadStream(file)) seen.add(chunk)
  return seen.sum()
}

/** Adds up what it is given. */
function createSum() {
  const hash = createHash('sha256')
  let bytes = 0
  return {
    add(chunk: Buffer) {
      hash.update(chunk)
      bytes += chunk.length
    },
    sum: () => ({ bytes, sha256: hash.digest('hex') }),
  }
}
