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
  const given = Buffer.from(seal)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

const separator = '~'
/** What bcrypt gives, without a seal. */
const bare = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/

/** A password hash as it is kept: bound to its account, so that it is of no use in another row. */
export function boundHash(secrets: Secrets, customerId: string, hash: string): string {
  const seal = rowSeal(secrets, 'credentials', ['password', customerId.toLowerCase(), hash])
  return `${hash}${separator}${seal}`
}

/** The hash; undefined where it was not put into this row by the shop. */
export function openHash(secrets: Secrets, customerId: string, kept: string): string | undefined {
  const [hash = '', seal = ''] = kept.split(separator)
  const fields = ['password', customerId.toLowerCase(), hash]
  return isRowSeal(secrets, 'credentials', { fields, seal }) ? hash : undefined
}

/** Whether this is a hash from before hashes were bound. */
export function isBareHash(kept: string): boolean {
  return bare.test(kept)
}
