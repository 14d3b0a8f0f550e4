// Tables as CSV (RFC 4180), with text that a spreadsheet would take for a formula made plain text.
import { stringify } from 'csv-stringify'

/** A number may be written out as text that is one, such as `-5.00`. */
type Cell = string | number | null | { number: string }

const formula = /^\s*[=+\-@\t\r]/

/** A stream of a table with its header. */
export function csvStream(header: readonly string[], rows: readonly (readonly Cell[])[]) {
  return stringify([header, ...rows], {
    record_delimiter: 'windows',
    quoted_match: /['\r\n]/,
    cast: {
      string: text => (formula.test(text) ? `'${text}` : text),
      object: ({ number }) => String(number),
    },
  })
}
