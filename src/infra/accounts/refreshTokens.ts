// Refresh tokens as text: a secret, whose session it is, and a MAC over both. A row that somebody
// writes into the tables of sessions, or moves to another session, lets nobody in.
import { createHmac } from 'node:crypto'
import { authenticated, isAuthentic, newSecret } from '../crypto/randomSecrets.ts'
import type { Secrets } from '../crypto/secrets.ts'

export interface TokenOwner {
  family: string
  customerId: string
}

/** Secret, family, customer, MAC: 43, 22, 22 and 22 characters. */
const form = /^([\w-]{43})([\w-]{22})([\w-]{22})([\w-]{22})$/

/** A token that begins a session. */
export function newRefreshToken(secrets: Secrets, owner: TokenOwner): string {
  return tokenOf(secrets, newSecret(), owner)
}

/** Whose token this is; undefined for what the shop has not made. */
export function readRefreshToken(secrets: Secrets, token: string): TokenOwner | undefined {
  const match = form.exec(token)
  if (match === null) return undefined
  const [, secret = '', family = '', customer = '', seal = ''] = match
  const isGenuine = isAuthentic(secrets, `${secret}${seal}`, ['refresh', family, customer])
  return isGenuine ? { family: unpacked(family), customerId: unpacked(customer) } : undefined
}

/**
 * The next token: derived, so that a repeated request within the grace period gets the same one and
 * only digests are stored.
 */
export function successorOf(secrets: Secrets, token: string, owner: TokenOwner): string {
  const key = secrets.key('refresh-tokens')
  return tokenOf(secrets, createHmac('sha256', key).update(token).digest('base64url'), owner)
}

function tokenOf(secrets: Secrets, secret: string, { family, customerId }: TokenOwner): string {
  const owner = [packed(family), packed(customerId)]
  const sealed = authenticated(secrets, secret, ['refresh', ...owner])
  return `${secret}${owner.join('')}${sealed.slice(secret.length)}`
}

function packed(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')
}

function unpacked(text: string): string {
  const hex = Buffer.from(text, 'base64url').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
