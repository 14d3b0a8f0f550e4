// Tables as CSV (RFC 4180) that a spreadsheet shows and does not carry out.

/** A number may be written out as text that is one, such as `-5.00`. */
type Cell = string | number | null | { number: string }

/**
 * A table with its header, line by line; text that a spreadsheet would take for a formula is made
 * plain text.
 */
export function* csvLines(
  header: readonly string[],
  rows: Iterable<readonly Cell[]>,
): Generator<string> {
  yield lineOf(header)
  for (const row of rows) yield lineOf(row)
}

function lineOf(row: readonly Cell[]): string {
  return `${row.map(cellOf).join(',')}\r\n`
}

function cellOf(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  if (typeof cell === 'object') return cell.number
  const text = /^\s*[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
