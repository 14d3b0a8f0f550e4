// Reads rows of products from CSV after RFC 4180: UTF-8, commas, a header, LF or CRLF.
import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import {
  type Column,
  columns,
  FileRefused,
  isClean,
  isColumn,
  notUtf8,
  type RawRow,
} from './rawRow.ts'

const recordCharactersMax = 128 * 1024

/** The rows of a CSV file, one after the other. Throws FileRefused. */
export async function* readCsv(content: AsyncIterable<Buffer>): AsyncGenerator<RawRow> {
  const parser = parse({
    bom: true,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    max_record_size: recordCharactersMax,
  })
  const source = Readable.from(content, { objectMode: false })
  source.on('error', error => parser.destroy(error))
  let header: Column[] | undefined
  let line = 1
  try {
    for await (const record of source.pipe(parser)) {
      const cells = textsOf(record)
      if (header === undefined) header = readHeader(cells)
      else if (cells.length > 1 || cells[0] !== '') yield rowOf(header, cells, line)
      line += 1 + linesInside(cells)
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new FileRefused(`Line ${line}: this is not CSV: ${error.message}`, { cause: error })
  } finally {
    source.destroy()
  }
  if (header === undefined) throw new FileRefused('The file is empty.')
}

function textsOf(record: unknown): string[] {
  return Array.isArray(record) ? record.map(String) : []
}

function linesInside(cells: readonly string[]): number {
  return cells.reduce((total, cell) => total + cell.split('\n').length - 1, 0)
}

function readHeader(cells: readonly string[]): Column[] {
  const expected = `The columns are ${columns.join(', ')}.`
  const [only = ''] = cells
  if (cells.length === 1 && /[;\t|]/.test(only)) {
    throw new FileRefused(`Line 1: separate columns with commas. ${expected}`)
  }
  const names = cells.map(cell => cell.trim().toLowerCase())
  const known = names.filter(isColumn)
  const unknown = names.findIndex(name => !isColumn(name))
  if (unknown >= 0) {
    const name = JSON.stringify((cells[unknown] ?? '').slice(0, 100))
    throw new FileRefused(`Line 1: there is no column ${name}. ${expected}`)
  }
  const twice = known.find((name, index) => known.indexOf(name) !== index)
  if (twice !== undefined) throw new FileRefused(`Line 1: the column ${twice} is there twice.`)
  if (!known.includes('sku'))
    throw new FileRefused(`Line 1: the column sku is missing. ${expected}`)
  return known
}

function rowOf(header: readonly Column[], cells: readonly string[], line: number): RawRow {
  const row: RawRow = { line, cells: {} }
  if (cells.length !== header.length) {
    const detail = `has ${cells.length} cells, the header has ${header.length}`
    return { ...row, fault: { pointer: '', detail } }
  }
  for (const [index, column] of header.entries()) {
    const text = cells[index] ?? ''
    if (!isClean(text)) return { ...row, fault: { pointer: `/${column}`, detail: notUtf8 } }
    if (text !== '') row.cells[column] = text
  }
  return row
}
