// Requests to a time-stamping authority and what is looked at in its answers (RFC 3161), in DER.
import { createHash, randomBytes } from 'node:crypto'

/** What was asked: the answer has to be about the same. */
export interface TimestampRequest {
  bytes: Buffer
  digest: Buffer
  nonce: Buffer
}

const sequence = 0x30
const integer = 0x02
const octets = 0x04
/** 2.16.840.1.101.3.4.2.1 (SHA-256), without parameters but the NULL that authorities expect. */
const sha256 = Buffer.from('300d06096086480165030402010500', 'hex')
const isTrue = Buffer.from('0101ff', 'hex')
const versionOne = Buffer.from('020101', 'hex')

/** A request to date this text. */
export function timestampRequest(text: string): TimestampRequest {
  const digest = createHash('sha256').update(text).digest()
  // A first bit of 0 keeps it positive; a first byte that is not 0 keeps it minimal.
  const nonce = randomBytes(8)
  nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40
  const imprint = der(sequence, sha256, der(octets, digest))
  const bytes = der(sequence, versionOne, imprint, der(integer, nonce), isTrue)
  return { bytes, digest, nonce }
}

/**
 * What is wrong with an answer; undefined when the authority has granted a token for what was
 * asked. Trust in its certificate is decided when the token is verified.
 */
export function readTimestamp(answer: Buffer, request: TimestampRequest): string | undefined {
  const outer = element(answer, 0)
  const info = outer && element(answer, outer.start)
  const status = info && element(answer, info.start)
  if (outer?.tag !== sequence || info?.tag !== sequence || status?.tag !== integer) {
    return 'the answer is no time stamp'
  }
  const granted = answer.subarray(status.start, status.end)
  if (granted.length !== 1 || (granted[0] ?? 9) > 1) {
    return `the authority has refused with status ${granted[0] ?? '?'}`
  }
  const token = answer.subarray(info.end, outer.end)
  if (!token.includes(der(octets, request.digest))) return 'the time stamp is of something else'
  if (!token.includes(der(integer, request.nonce))) return 'the time stamp is of another request'
  return undefined
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  // Everything here is shorter than 128 bytes.
  return Buffer.concat([Buffer.from([tag, content.length]), content])
}

/** The element at an offset: its tag, and where its content begins and ends. */
function element(bytes: Buffer, at: number) {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) return undefined
  const size = first < 128 ? 0 : first & 0x7f
  if (size > 4) return undefined
  const start = at + 2 + size
  if (start > bytes.length) return undefined
  const length = size === 0 ? first : bytes.readUIntBE(at + 2, size)
  return start + length > bytes.length ? undefined : { tag, start, end: start + length }
}
