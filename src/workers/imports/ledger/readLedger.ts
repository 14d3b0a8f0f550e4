// Reads a retail ledger: CSV after RFC 4180 in UTF-8, plain or gzip, from a file or from stdin.
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { CsvError, parse } from 'csv-parse/sync'

const fields = [
  'invoice',
  'code',
  'description',
  'quantity',
  'date',
  'price',
  'customer',
  'country',
] as const
type Field = (typeof fields)[number]

/** One row as the file has it; `row` counts from 1, so that the first behind the header is 2. */
export type LedgerRow = Readonly<Record<Field, string>> & {
  row: number
  /** Why the row has no fields; then `description` holds what is there instead. */
  fault?: string
}

/** The file as a whole cannot be used; the message is one sentence for the operator. */
export class LedgerFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LedgerFileError'
  }
}

/** The names of the two editions of this data set; case and spaces do not matter. */
const headings: Readonly<Record<string, Field>> = {
  invoiceno: 'invoice',
  invoice: 'invoice',
  stockcode: 'code',
  description: 'description',
  quantity: 'quantity',
  invoicedate: 'date',
  unitprice: 'price',
  price: 'price',
  customerid: 'customer',
  country: 'country',
}
const expectedHeader =
  'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'

/** All rows of a file, or of stdin when it is called `-`. Throws LedgerFileError. */
export async function readLedger(file: string): Promise<LedgerRow[]> {
  const isInput = file === '-'
  const bytes = isInput ? await readStdin() : await readNamed(file)
  const name = isInput ? 'the standard input' : file
  return parseLedger(decompress(bytes, name), name)
}

async function readNamed(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT') throw new LedgerFileError(`${file}: there is no such file`, { cause })
    if (code === 'EISDIR') throw new LedgerFileError(`${file} is a directory`, { cause })
    throw new LedgerFileError(`${file} cannot be read (${code ?? String(cause)})`, { cause })
  }
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function decompress(bytes: Buffer, file: string): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes)
  } catch (cause) {
    throw new LedgerFileError(`${file} is a damaged gzip file`, { cause })
  }
}

/** The rows of a CSV text. Throws LedgerFileError. */
export function parseLedger(bytes: Buffer, file: string): LedgerRow[] {
  if (bytes.length === 0) throw new LedgerFileError(`${file} is empty`)
  if (bytes.includes(0)) throw new LedgerFileError(`${file} is not a CSV file`)
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new LedgerFileError(`${file} is not UTF-8 text: convert it first`, { cause })
  }
  const rows: LedgerRow[] = []
  const strings = new Map<string, string>()
  let order: Field[] | undefined
  const onRecord = (cells: string[], row: number) => {
    if (order === undefined) order = readHeader(cells, file)
    else if (cells.length > 1 || cells[0] !== '') rows.push(toRow(cells, order, { row, strings }))
    return null
  }
  try {
    parse(bytes, {
      bom: true,
      relax_column_count: true,
      // Real ledgers write 7" PLATE without quoting the field.
      relax_quotes: true,
      on_record: (cells, { records }) => onRecord(cells, records),
    })
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    throw new LedgerFileError(`${file} is not a CSV file: ${cause.message}`, { cause })
  }
  if (order === undefined) throw new LedgerFileError(`${file} is empty`)
  return rows
}

function readHeader(cells: readonly string[], file: string): Field[] {
  const names = cells.map(cell => headings[cell.toLowerCase().replace(/\s/g, '')])
  const known = names.filter(name => name !== undefined)
  const isWhole = fields.every(field => known.includes(field))
  if (isWhole && known.length === fields.length && names.length === fields.length) return known
  throw new LedgerFileError(
    `${file} has no ledger header: its first line must be ${expectedHeader}`,
  )
}

function toRow(
  cells: readonly string[],
  order: readonly Field[],
  on: { row: number; strings: Map<string, string> },
): LedgerRow {
  const { row, strings } = on
  const made: Record<Field, string> = {
    invoice: '',
    code: '',
    description: '',
    quantity: '',
    date: '',
    price: '',
    customer: '',
    country: '',
  }
  if (cells.length !== order.length) {
    const fault = `has ${cells.length} fields instead of ${order.length}`
    return { ...made, description: cells.join(','), row, fault }
  }
  order.forEach((field, index) => {
    const text = cells[index] ?? ''
    // 320,000 rows repeat some thousand texts: keeping one of each takes 92 MB instead of 156.
    const known = strings.get(text)
    if (known === undefined) strings.set(text, text)
    made[field] = known ?? text
  })
  return { ...made, row }
}
