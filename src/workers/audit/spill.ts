// Temporary files into which one reading of something long is divided, so that each part can be
// read again by itself.
import { createReadStream, rmSync } from 'node:fs'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Lines in as many files as there are parts. */
export interface Spill {
  add(partition: number, line: string): Promise<void>
  /** Writes what still waits; comes before the first `read`. */
  flush(): Promise<void>
  /** The lines of a part in the order in which they were added. */
  read(partition: number): AsyncIterable<string>
}

/** The audit needs room for temporary files and did not get it. */
export class DiskFull extends Error {}

interface Buffered {
  lines: string[]
  length: number
}

/** What waits in memory to be written, over all parts, in UTF-16 code units. */
const bufferedMax = 8 * 1_024 * 1_024
const bufferMax = 128 * 1_024

/** Runs `work` with a directory of its own, which only this user can read, and removes it. */
export async function withTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-audit-'))
  const removeAtExit = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', removeAtExit)
  try {
    return await work(directory)
  } finally {
    process.off('exit', removeAtExit)
    await rm(directory, { recursive: true, force: true })
  }
}

/** Divides lines into files of a directory. Throws NoRoom where the disk is full. */
export function createSpill(directory: string, name: string, partitions: number): Spill {
  const bufferLimit = Math.min(bufferMax, Math.ceil(bufferedMax / partitions))
  const buffers = Array.from({ length: partitions }, (): Buffered => ({ lines: [], length: 0 }))
  const written = new Set<number>()
  const fileOf = (partition: number) => join(directory, `${name}-${partition}`)

  async function write(partition: number): Promise<void> {
    const buffer = buffers[partition]
    if (buffer === undefined || buffer.lines.length === 0) return
    const text = `${buffer.lines.join('\n')}\n`
    buffer.lines = []
    buffer.length = 0
    written.add(partition)
    await appendFile(fileOf(partition), text, { mode: 0o600 }).catch(refuse)
  }

  return {
    async add(partition, line) {
      const buffer = buffers[partition]
      if (buffer === undefined) throw new RangeError(`there is no part ${partition}`)
      buffer.lines.push(line)
      buffer.length += line.length + 1
      if (buffer.length >= bufferLimit) await write(partition)
    },
    async flush() {
      for (const partition of buffers.keys()) await write(partition)
    },
    async *read(partition) {
      if (!written.has(partition)) return
      yield* createInterface({ input: createReadStream(fileOf(partition)), crlfDelay: Infinity })
    },
  }
}

/** The same in memory, for what is known to be little. */
export function memorySpill(partitions: number): Spill {
  const lines = Array.from({ length: partitions }, (): string[] => [])
  return {
    async add(partition, line) {
      lines[partition]?.push(line)
    },
    flush: async () => undefined,
    async *read(partition) {
      yield* lines[partition] ?? []
    },
  }
}

function refuse(cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause
  throw new DiskFull(
    `there is no room for temporary files in ${tmpdir()}: the audit needs about twice the size of` +
      ' the log there (TMPDIR names another directory)',
    { cause },
  )
}
