// Secrets that are handed out once: random enough that a plain digest is all that has to be kept.
import { hash, randomBytes } from 'node:crypto'

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
