// Secrets that are handed out once: random enough that a plain digest is all that has to be kept.
import { hash, randomBytes } from 'node:crypto'
import { isRowSeal, rowSeal } from './rowSeals.ts'
import type { Secrets } from './secrets.ts'

const form = /^[A-Za-z0-9_-]{43}$/

/** 32 random bytes as text. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a text could be one of ours. */
export function isSecret(text: string): boolean {
  return form.test(text)
}

/** What is kept of a secret. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

const secretLength = 43

/**
 * A secret followed by a MAC over it and over what it is good for. A row with the digest of a
 * made-up secret, or one that was moved to somebody else, is then of no use.
 */
export function authenticated(secrets: Secrets, secret: string, goodFor: readonly string[]) {
  return `${secret}${rowSeal(secrets, 'credentials', [secret, ...goodFor])}`
}

/** Whether the shop has made this secret for this purpose. */
export function isAuthentic(secrets: Secrets, token: string, goodFor: readonly string[]): boolean {
  const secret = token.slice(0, secretLength)
  const seal = token.slice(secretLength)
  return (
    isSecret(secret) && isRowSeal(secrets, 'credentials', { fields: [secret, ...goodFor], seal })
  )
}
