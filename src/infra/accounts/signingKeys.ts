// The key pairs that sign access tokens: sealed in shop.signing_keys, shared by all processes.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { PublicKey } from '../../ports/accounts.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement, transaction } from '../postgres/database.ts'

export interface KeySet {
  /** The newest key that is in use. */
  kid: string
  privateKey: KeyObject
  verifying: ReadonlyMap<string, KeyObject>
  published: PublicKey[]
}

export interface SigningKeys {
  current(): Promise<KeySet>
  /** The key with which a token of this name is verified. */
  find(kid: string): Promise<KeyObject | undefined>
  /** Retires the key in use for a new one when it is older than this; true when it has. */
  rotate(olderThanSeconds: number): Promise<boolean>
}

interface KeyRow {
  kid: string
  sealed_private_key: string
  is_retired: boolean
}

const findKeys: Statement = {
  name: 'signing_keys_find',
  text: `select kid, sealed_private_key, retired_at is not null as is_retired
    from shop.signing_keys
    where retired_at is null or retired_at > now() - make_interval(secs => $1)
    order by created_at desc, kid`,
}
const lockKeys: Statement = {
  name: 'signing_keys_lock',
  text: `select pg_advisory_xact_lock(hashtext('shop.signing_keys'))`,
}
const insertKey: Statement = {
  name: 'signing_keys_insert',
  text: `insert into shop.signing_keys (kid, sealed_private_key, public_jwk)
    values ($1, $2, $3)`,
}
const retireKeys: Statement = {
  name: 'signing_keys_retire',
  text: `update shop.signing_keys
    set retired_at = now()
    where retired_at is null and created_at <= now() - make_interval(secs => $1)
    returning kid`,
}

/** A key that is retired or added by hand is noticed within a minute. */
const staleAfterMs = 60_000
/** Made-up key names must not become queries. */
const searchAgainAfterMs = 1_000

/**
 * The keys of the shop, the first of which is made on first use. A retired key verifies for as
 * long as its last tokens live. Throws Unavailable, and Error when SECRET_KEY has changed.
 */
export function createSigningKeys(
  pool: Pool,
  secrets: Secrets,
  { tokensLiveSeconds }: { tokensLiveSeconds: number },
): SigningKeys {
  // Others sign with a retired key until they notice, and those tokens have their life, too.
  const overlapSeconds = tokensLiveSeconds + staleAfterMs / 1_000
  let known: KeySet | undefined
  let loadedAt = 0
  let loading: Promise<KeySet> | undefined

  async function load(): Promise<KeySet> {
    try {
      known = await loadKeys(pool, secrets, overlapSeconds)
      loadedAt = performance.now()
      return known
    } finally {
      loading = undefined
    }
  }

  function noOlderThan(ageMs: number): Promise<KeySet> | KeySet {
    const last = known
    if (last !== undefined && performance.now() - loadedAt < ageMs) return last
    loading ??= load()
    // Keys hardly change: while the database is away, those of a minute ago are good enough.
    return last === undefined ? loading : loading.catch(() => last)
  }

  return {
    current: async () => noOlderThan(staleAfterMs),
    async find(kid) {
      const { verifying } = await noOlderThan(staleAfterMs)
      return verifying.get(kid) ?? (await noOlderThan(searchAgainAfterMs)).verifying.get(kid)
    },
    async rotate(olderThanSeconds) {
      const isNew = await transaction(pool, async session => {
        await rows(session, lockKeys)
        const retired = await rows(session, retireKeys, [olderThanSeconds])
        if (retired.length > 0) await createKey(session, secrets)
        return retired.length > 0
      })
      if (isNew) await load()
      return isNew
    },
  }
}

async function loadKeys(pool: Pool, secrets: Secrets, overlapSeconds: number): Promise<KeySet> {
  const found = await rows<KeyRow>(pool, findKeys, [overlapSeconds])
  if (found.some(row => !row.is_retired)) return keySetOf(secrets, found)
  await transaction(pool, session => createKey(session, secrets))
  return keySetOf(secrets, await rows<KeyRow>(pool, findKeys, [overlapSeconds]))
}

/** Of processes that start together, the first one makes the key and the others find it. */
async function createKey(session: Parameters<typeof rows>[0], secrets: Secrets): Promise<void> {
  await rows(session, lockKeys)
  const found = await rows<KeyRow>(session, findKeys, [0])
  if (found.some(row => !row.is_retired)) return
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const jwk = publicKey.export({ format: 'jwk' })
  const { kty = '', crv = '', x = '' } = jwk
  const kid = await calculateJwkThumbprint({ kty, crv, x })
  const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url')
  const sealed = secrets.seal('signing-keys', text, kid)
  await rows(session, insertKey, [kid, sealed, JSON.stringify(jwk)])
}

/** Public keys are derived from the sealed ones: a row that was slipped in verifies nothing. */
function keySetOf(secrets: Secrets, found: readonly KeyRow[]): KeySet {
  const pairs = found.map(row => {
    const der = secrets.open('signing-keys', row.sealed_private_key, row.kid)
    const key = Buffer.from(der, 'base64url')
    const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
    return { ...row, privateKey, publicKey: createPublicKey(privateKey) }
  })
  const active = pairs.find(pair => !pair.is_retired)
  if (active === undefined) throw new Error('there is no signing key in use')
  return {
    kid: active.kid,
    privateKey: active.privateKey,
    verifying: new Map(pairs.map(pair => [pair.kid, pair.publicKey])),
    published: pairs.map(pair => publish(pair.kid, pair.publicKey)),
  }
}

function publish(kid: string, publicKey: KeyObject): PublicKey {
  const { kty = '', crv = '', x = '' } = publicKey.export({ format: 'jwk' })
  return { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }
}
