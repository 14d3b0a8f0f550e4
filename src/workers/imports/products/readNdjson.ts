// Reads rows of products from NDJSON: one JSON object a line, in UTF-8.

import { parseJson } from '../../../kit/parseJson.ts'
import { FileRefused, isClean, isColumn, notUtf8, type RawRow } from './rawRow.ts'

const lineBytesMax = 128 * 1024
const newline = 0x0a

/** The rows of an NDJSON file, one after the other. Throws FileRefused. */
export async function* readNdjson(content: AsyncIterable<Buffer>): AsyncGenerator<RawRow> {
  let line = 0
  for await (const bytes of linesOf(content)) {
    line += 1
    const text = textOf(line === 1 ? withoutMark(bytes) : bytes)
    if (text === undefined) yield { line, cells: {}, fault: { pointer: '', detail: notUtf8 } }
    else if (text.trim() !== '') yield rowOf(text, line)
  }
}

async function* linesOf(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let line = 1
  for await (const chunk of content) {
    rest = Buffer.concat([rest, chunk])
    let from = 0
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, from)) {
      yield rest.subarray(from, end)
      from = end + 1
      line += 1
    }
    rest = rest.subarray(from)
    if (rest.length > lineBytesMax) {
      throw new FileRefused(`Line ${line}: it is longer than ${lineBytesMax} bytes.`)
    }
  }
  if (rest.length > 0) yield rest
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(Buffer.from('\ufeff')) ? bytes.subarray(3) : bytes
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function rowOf(text: string, line: number): RawRow {
  const row: RawRow = { line, cells: {} }
  const refused = (pointer: string, detail: string) => ({ ...row, fault: { pointer, detail } })
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused('', 'is not a JSON object')
  }
  for (const [name, cell] of Object.entries(value)) {
    if (!isClean(name)) return refused('', notUtf8)
    const field = name.slice(0, 80).toWellFormed()
    const pointer = `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!isColumn(name)) return refused(pointer, 'is not a column')
    if (cell === null) continue
    if (typeof cell === 'string') {
      if (!isClean(cell)) return refused(pointer, notUtf8)
    } else if (typeof cell !== 'number' && typeof cell !== 'boolean') {
      return refused(pointer, 'is not text, a number, true or false')
    }
    if (cell !== '') row.cells[name] = cell
  }
  return row
}
