// Identities: fresh ones in time order, and ones that follow from another, so that a retry gets
// the same.
import { hash } from 'node:crypto'
import { v7 } from 'uuid'
import { randomSupply } from '../../kit/randomSupply.ts'

let takeRandom = randomSupply(16)
let lastMs = 0
let sequence = 0

/** Forgets which ids were given, as a process that has just begun: what is simulated begins so. */
export function startIds(): void {
  takeRandom = randomSupply(16)
  lastMs = 0
  sequence = 0
}

/** A new UUIDv7; of those of one process a later one is greater. */
export function newId(): string {
  const bytes = takeRandom()
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    // From somewhere in the lower half, so that there is room to count on in one millisecond.
    sequence = bytes.readUInt32BE() >>> 1
  } else sequence += 1
  return v7({ random: bytes, msecs: lastMs, seq: sequence })
}

/**
 * The id that belongs to `name` under a parent id: always the same one. It keeps the parent's
 * leading 48 bits, which in a UUIDv7 are its time, so that ids born together stay together in an
 * index; the other bits are a SHA-256 of both.
 */
export function derivedId(parent: string, name: string | number): string {
  const digest = hash('sha256', `${parent}/${name}`, 'hex')
  const variant = (8 + (Number.parseInt(digest.charAt(3), 16) % 4)).toString(16)
  return [
    parent.slice(0, 13),
    `7${digest.slice(0, 3)}`,
    `${variant}${digest.slice(4, 7)}`,
    digest.slice(8, 20),
  ].join('-')
}

/** The id that stands for a text, whatever its length; texts that differ have different ids. */
export function idOf(...parts: readonly string[]): string {
  const digest = hash('sha256', JSON.stringify(parts), 'hex')
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(12, 15)}`,
    `8${digest.slice(15, 18)}`,
    digest.slice(18, 30),
  ].join('-')
}

/** The id of a refund that was made at the payment provider, and has none of ours. */
export const providerRefundId = (provider: string, reference: string) =>
  idOf('refund', provider, reference)

/** The id of a dispute, by its name at the payment provider. */
export const disputeIdOf = (provider: string, reference: string) =>
  idOf('dispute', provider, reference)

/** A short fingerprint of a command's input, to tell a retry from another request. */
export function digestOf(input: unknown): string {
  return hash('sha256', JSON.stringify(input) ?? '', 'base64url').slice(0, 22)
}
