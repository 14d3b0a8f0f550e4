// MACs on what is kept outside of the log and decides something: whoever can write to the database
// but does not know SECRET_KEY cannot make them, nor move them to another row.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Purpose, Secrets } from './secrets.ts'

const macLength = 22

/** The MAC of some fields for one purpose; each field is kept apart from the next. */
export function rowSeal(secrets: Secrets, purpose: Purpose, fields: readonly string[]): string {
  return createHmac('sha256', secrets.key(purpose))
    .update(JSON.stringify(fields))
    .digest('base64url')
    .slice(0, macLength)
}

/** Whether this is the MAC of these fields. */
export function isRowSeal(
  secrets: Secrets,
  purpose: Purpose,
  { fields, seal }: { fields: readonly string[]; seal: string },
): boolean {
  const expected = Buffer.from(rowSeal(secrets, purpose, fields))
  const bytes = Buffer.from(seal)
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}

const separator = '~'
/** What bcrypt gives, without a seal. */
const bare = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/
const numberForm = /^[1-9]\d{0,8}$/

/** A password as an account has it. */
export interface StoredPassword {
  hash: string
  /**
   * How often it had been changed: 0 for the first one. The log has the newest number, so that a
   * row from before is told from the one of now.
   */
  number: number
}

function fieldsOf(customerId: string, { hash, number }: StoredPassword): string[] {
  const fields = ['password', customerId.toLowerCase(), hash]
  // The first one is sealed as all were before they were counted.
  return number === 0 ? fields : [...fields, String(number)]
}

/** A password hash as it is kept: bound to its account, so that it is of no use in another row. */
export function boundHash(secrets: Secrets, customerId: string, hash: string, number = 0): string {
  const seal = rowSeal(secrets, 'credentials', fieldsOf(customerId, { hash, number }))
  return [hash, seal, ...(number === 0 ? [] : [number])].join(separator)
}

/** The password of an account; undefined where it was not put into this row by the shop. */
export function openPassword(
  secrets: Secrets,
  customerId: string,
  stored: string,
): StoredPassword | undefined {
  const [hash = '', seal = '', counted] = stored.split(separator)
  if (counted !== undefined && !numberForm.test(counted)) return undefined
  const password = { hash, number: Number(counted ?? 0) }
  const fields = fieldsOf(customerId, password)
  return isRowSeal(secrets, 'credentials', { fields, seal }) ? password : undefined
}

/** Whether this is a hash from before hashes were bound. */
export function isBareHash(stored: string): boolean {
  return bare.test(stored)
}
