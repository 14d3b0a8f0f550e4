// The forms that settings can have: origins, URLs, networks, secrets.
import { isIP } from 'node:net'

/** Whether a text is the origin of a page. */
export function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.parse(text)?.origin === text
}

/** Paths are appended to it, so it has no query and no fragment; nor does it hold a password. */
export function isBare(text: string): boolean {
  const parsed = URL.parse(text)
  return parsed !== null && /^[^?#]*$/.test(text) && `${parsed.username}${parsed.password}` === ''
}

/** Whether a text is an address, or a network such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  )
}

/** 43 characters of base64 hold 32 bytes; hexadecimal needs 64 for as many. */
export function holds32Bytes(text: string): boolean {
  return /^[0-9a-f]*$/i.test(text) ? text.length >= 64 : text.length >= 43
}

/** Whether it is an IANA time zone that this Node knows. */
export function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

const currencies = new Set(Intl.supportedValuesOf('currency'))

/** Whether it is a currency of ISO 4217 that this Node knows. */
export function isCurrency(text: string): boolean {
  return currencies.has(text)
}
