// The lines of exported files as they may come from elsewhere: compressed, with a byte order mark,
// cut off, or with a line that is no line.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'

/** A file is not what it has to be. */
export class UnreadableExport extends Error {}

/** Something that keeps a line, or the rest of a file, from being read. */
export interface Damage {
  line: number
  damage: string
}
export interface ParsedLine {
  line: number
  value: unknown
}

/** Longer than any line of an export: an event has at most a megabyte. */
const lineBytesMax = 16 * 1_024 * 1_024
const newline = 0x0a
const gzipMagic = [0x1f, 0x8b]

/** Every line that is not empty, as JSON. Throws UnreadableExport for what is no file. */
export async function* jsonLines(file: string): AsyncGenerator<ParsedLine | Damage> {
  for await (const read of textLines(file)) {
    if ('damage' in read) {
      yield read
      continue
    }
    const { line, isEnded } = read
    const text = line === 1 ? withoutMark(read.text) : read.text
    if (text.trim() === '') continue
    const value = parsed(text)
    if (value !== undefined) yield { line, value }
    else if (isEnded) yield { line, damage: `is not JSON: ${text.slice(0, 80)}` }
    else yield { line, damage: 'is cut off: the file ends in the middle of it' }
  }
}

/** JSON that may begin with a byte order mark; undefined for what is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(withoutMark(text))
  } catch {
    return undefined
  }
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

interface TextLine {
  line: number
  text: string
  /** By a line break, and not by the end of the file. */
  isEnded: boolean
}

async function* textLines(file: string): AsyncGenerator<TextLine | Damage> {
  let line = 1
  let pieces: Buffer[] = []
  let bytes = 0
  const append = (piece: Buffer) => {
    bytes += piece.length
    // Of what is too long nothing is kept.
    if (bytes > lineBytesMax) pieces = []
    else pieces.push(piece)
  }
  const take = (isEnded: boolean): TextLine | Damage => {
    const text = Buffer.concat(pieces).toString('utf8')
    const isTooLong = bytes > lineBytesMax
    const at = line
    line += 1
    pieces = []
    bytes = 0
    return isTooLong
      ? { line: at, damage: 'is too long for an event' }
      : { line: at, text, isEnded }
  }
  try {
    for await (const chunk of await openFile(file)) {
      let rest: Buffer = chunk
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        append(rest.subarray(0, end))
        yield take(true)
        rest = rest.subarray(end + 1)
      }
      append(rest)
    }
  } catch (error) {
    if (!isCutArchive(error)) throw unreadable(file, error)
    yield { line, damage: 'cannot be unpacked: the compressed file is cut off or damaged' }
    return
  }
  if (bytes > 0) yield take(false)
}

async function openFile(file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    const isPacked = bytesRead === 2 && gzipMagic.every((byte, at) => buffer[at] === byte)
    const stream = createReadStream(file)
    if (!isPacked) return stream
    const unpacked = createGunzip()
    stream.on('error', error => unpacked.destroy(error))
    return stream.pipe(unpacked)
  } finally {
    await handle.close()
  }
}

function codeIn(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

function isCutArchive(error: unknown): boolean {
  return codeIn(error).startsWith('Z_')
}

function unreadable(file: string, error: unknown): unknown {
  const code = codeIn(error)
  if (code === '' || error instanceof UnreadableExport) return error
  return new UnreadableExport(`${file} cannot be read: ${code}`)
}
