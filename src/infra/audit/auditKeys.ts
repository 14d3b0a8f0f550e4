// The key that signs checkpoints: its own, sealed in shop.audit_keys, shared by all processes.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { PublicKey } from '../../ports/accounts.ts'
import type { CheckpointSigner } from '../../ports/audit.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement, transaction } from '../postgres/database.ts'
import { openCheckpoint, signCheckpoint } from './checkpointSeals.ts'

interface KeyRow {
  kid: string
  sealed_private_key: string
}

interface Keys {
  /** The newest one signs. */
  kid: string
  privateKey: KeyObject
  published: PublicKey[]
}

const findKeys: Statement = {
  name: 'audit_keys_find',
  text: `select kid, sealed_private_key
    from shop.audit_keys
    order by created_at desc, kid`,
}
const lockKeys: Statement = {
  name: 'audit_keys_lock',
  text: `select pg_advisory_xact_lock(hashtext('shop.audit_keys'))`,
}
const insertKey: Statement = {
  name: 'audit_keys_insert',
  text: 'insert into shop.audit_keys (kid, sealed_private_key) values ($1, $2)',
}

/** A key that is added by hand is noticed within a minute. */
const staleAfterMs = 60_000

/**
 * Signs with the newest key, which is made on first use, and opens with all of them. Throws
 * Unavailable, and Error when SECRET_KEY has changed.
 */
export function createCheckpointSigner(pool: Pool, secrets: Secrets): CheckpointSigner {
  let known: { keys: Promise<Keys>; at: number } | undefined
  function keys(): Promise<Keys> {
    if (known === undefined || performance.now() - known.at > staleAfterMs) {
      const loading = loadKeys(pool, secrets)
      known = { keys: loading, at: performance.now() }
      loading.catch(() => {
        known = undefined
      })
    }
    return known.keys
  }
  return {
    async sign(checkpoint) {
      const { kid, privateKey } = await keys()
      return signCheckpoint(checkpoint, kid, privateKey)
    },
    open: async signed => openCheckpoint(signed, { keys: (await keys()).published }),
    jwks: async () => ({ keys: (await keys()).published }),
  }
}

async function loadKeys(pool: Pool, secrets: Secrets): Promise<Keys> {
  const found = await rows<KeyRow>(pool, findKeys)
  if (found.length > 0) return keysOf(secrets, found)
  await transaction(pool, session => createKey(session, secrets))
  return keysOf(secrets, await rows<KeyRow>(pool, findKeys))
}

/** Of processes that start together, the first one makes the key and the others find it. */
async function createKey(session: Parameters<typeof rows>[0], secrets: Secrets): Promise<void> {
  await rows(session, lockKeys)
  if ((await rows(session, findKeys)).length > 0) return
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { kty = '', crv = '', x = '' } = publicKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint({ kty, crv, x })
  const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url')
  await rows(session, insertKey, [kid, secrets.seal('audit-keys', text, kid)])
}

/** Public keys are derived from the sealed ones: a row that was slipped in verifies nothing. */
function keysOf(secrets: Secrets, found: readonly KeyRow[]): Keys {
  const pairs = found.flatMap(row => openedKey(secrets, row) ?? [])
  const [newest] = pairs
  if (newest === undefined) {
    throw new Error('no key that signs checkpoints can be opened: is SECRET_KEY still the same?')
  }
  return { ...newest, published: pairs.map(pair => publish(pair.kid, pair.privateKey)) }
}

/** Undefined for a row that the shop has not written: it neither signs nor keeps others from it. */
function openedKey(secrets: Secrets, { kid, sealed_private_key: sealed }: KeyRow) {
  try {
    const key = Buffer.from(secrets.open('audit-keys', sealed, kid), 'base64url')
    return { kid, privateKey: createPrivateKey({ key, format: 'der', type: 'pkcs8' }) }
  } catch {
    return undefined
  }
}

function publish(kid: string, privateKey: KeyObject): PublicKey {
  const { kty = '', crv = '', x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }
}
