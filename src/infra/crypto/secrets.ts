// Everything that is derived from SECRET_KEY: one key a purpose, and sealing with them.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import type { Secret } from '../../config/secret.ts'
import { randomSupply } from '../../kit/randomSupply.ts'

// The purposes are part of what is stored: renaming one loses what was made with it.
const purposes = [
  'audit-keys',
  'audit-marks',
  'audit-publications',
  'backups',
  'credentials',
  'email',
  'erasures',
  'event-seals',
  'fingerprints',
  'imports',
  'pepper',
  'person-keys',
  'payment-callbacks',
  'pending-emails',
  'refresh-tokens',
  'request-keys',
  'sentinel',
  'signing-keys',
  'snapshots',
  'webhooks',
] as const
export type Purpose = (typeof purposes)[number]

export interface Secrets {
  /** 256 bits that belong to this purpose alone. */
  key(purpose: Purpose): KeyObject
  /** Encrypts a text so that it opens only for the same purpose and context. */
  seal(purpose: Purpose, text: string, context: string): string
  /** Throws when the text was changed, moved, or sealed under another SECRET_KEY. */
  open(purpose: Purpose, sealed: string, context: string): string
}

const prefix = 'v1.'
const nonceBytes = 12
const tagBytes = 16
const takeNonce = randomSupply(nonceBytes)

/** The keys that follow from the shop's secret. */
export function createSecrets(secretKey: Secret): Secrets {
  const derived = new Map(purposes.map(purpose => [purpose, derive(secretKey, purpose)]))
  const key = (purpose: Purpose) => derived.get(purpose) ?? derive(secretKey, purpose)
  return {
    key,
    seal: (purpose, text, context) => sealText(key(purpose), text, context),
    open(purpose, sealed, context) {
      const text = openText(key(purpose), sealed, context)
      if (text !== undefined) return text
      throw new Error(`${purpose} of ${context} cannot be opened: is SECRET_KEY still the same?`)
    },
  }
}

function derive(secretKey: Secret, purpose: Purpose): KeyObject {
  const info = `orderstream/${purpose}`
  return createSecretKey(Buffer.from(hkdfSync('sha256', secretKey.reveal(), '', info, 32)))
}

/**
 * AES-256-GCM with a random nonce; the context is authenticated, not stored. A KeyObject, because
 * setting up a cipher takes 1 µs with one and 9 µs with the same key in a Buffer.
 */
export function sealText(key: KeyObject, text: string, context: string): string {
  const nonce = takeNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(context))
  const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return prefix + Buffer.concat(parts).toString('base64url')
}

/** The text, undefined when key, context or sealed text are not the ones that belong together. */
export function openText(key: KeyObject, sealed: string, context: string): string | undefined {
  const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url')
  const end = bytes.length - tagBytes
  if (!sealed.startsWith(prefix) || end < nonceBytes) return undefined
  const options = { authTagLength: tagBytes }
  const nonce = bytes.subarray(0, nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, options)
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(end))
  try {
    const text = decipher.update(bytes.subarray(nonceBytes, end), undefined, 'utf8')
    return text + decipher.final('utf8')
  } catch {
    return undefined
  }
}
