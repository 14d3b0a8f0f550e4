// A row as a file has it, before anybody asks whether it makes sense.

export const columns = [
  'sku',
  'name',
  'description',
  'price',
  'currency',
  'category',
  'stock',
  'featured',
  'active',
] as const
export type Column = (typeof columns)[number]

export interface Fault {
  /** JSON pointer of the column, '' for the row as a whole. */
  pointer: string
  detail: string
}

export interface RawRow {
  /** Where in the file the row begins, from 1 on. */
  line: number
  /** What the columns hold; those that say nothing are left out. */
  cells: Partial<Record<Column, string | number | boolean>>
  /** Why the row cannot be read. */
  fault?: Fault
}

/** The file as a whole is no use: nothing of it has been carried out. */
export class FileRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FileRefused'
  }
}

/** Whether a column has this name. */
export function isColumn(name: string): name is Column {
  return columns.some(column => column === name)
}

/**
 * Whether text was UTF-8 in the file and fits the database: broken bytes are read as U+FFFD, and
 * PostgreSQL keeps no NUL.
 */
export function isClean(text: string): boolean {
  return !text.includes('\ufffd') && !text.includes('\0') && text.isWellFormed()
}

export const notUtf8 = 'holds bytes that are not UTF-8 text'
