// Temporary files into which one reading of something long is divided, so that each part can be
// read again by itself.
import { createReadStream, rmSync } from 'node:fs'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Lines in as many files as there are parts. */
export interface Spill {
  add(part: number, line: string): Promise<void>
  /** Writes what still waits; comes before the first `read`. */
  flush(): Promise<void>
  /** The lines of a part in the order in which they were added. */
  read(part: number): AsyncIterable<string>
}

/** The audit needs room for temporary files and did not get it. */
export class NoRoom extends Error {}

interface Waiting {
  lines: string[]
  length: number
}

/** What waits in memory to be written, over all parts, in UTF-16 code units. */
const waitingMax = 8 * 1_024 * 1_024
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
export function createSpill(directory: string, name: string, parts: number): Spill {
  const most = Math.min(bufferMax, Math.ceil(waitingMax / parts))
  const waiting = Array.from({ length: parts }, (): Waiting => ({ lines: [], length: 0 }))
  const written = new Set<number>()
  const fileOf = (part: number) => join(directory, `${name}-${part}`)

  async function write(part: number): Promise<void> {
    const buffer = waiting[part]
    if (buffer === undefined || buffer.lines.length === 0) return
    const text = `${buffer.lines.join('\n')}\n`
    buffer.lines = []
    buffer.length = 0
    written.add(part)
    await appendFile(fileOf(part), text, { mode: 0o600 }).catch(refuse)
  }

  return {
    async add(part, line) {
      const buffer = waiting[part]
      if (buffer === undefined) throw new RangeError(`there is no part ${part}`)
      buffer.lines.push(line)
      buffer.length += line.length + 1
      if (buffer.length >= most) await write(part)
    },
    async flush() {
      for (const part of waiting.keys()) await write(part)
    },
    async *read(part) {
      if (!written.has(part)) return
      yield* createInterface({ input: createReadStream(fileOf(part)), crlfDelay: Infinity })
    },
  }
}

/** The same in memory, for what is known to be little. */
export function memorySpill(parts: number): Spill {
  const lines = Array.from({ length: parts }, (): string[] => [])
  return {
    async add(part, line) {
      lines[part]?.push(line)
    },
    flush: async () => undefined,
    async *read(part) {
      yield* lines[part] ?? []
    },
  }
}

function refuse(cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause
  throw new NoRoom(
    `there is no room for temporary files in ${tmpdir()}: the audit needs about twice the size of` +
      ' the log there (TMPDIR names another directory)',
    { cause },
  )
}
