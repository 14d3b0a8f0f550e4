// One key a person: what the log knows about somebody opens with it, and is gone when it is erased.
import { createSecretKey, KeyObject, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { createKeyLoader } from '../../kit/batchLoader.ts'
import type { Seals } from '../../ports/codec.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'
import { openText, type Secrets, sealText } from './secrets.ts'

export interface PersonKeys extends Seals {
  /** Destroys a person's key, for good. Other processes learn of it when they next look. */
  erase(subject: string): Promise<void>
  /** Drops the keys that were destroyed elsewhere; true when there were any. */
  dropErased(): Promise<boolean>
}

type Key = KeyObject | 'erased'

interface KeyRow {
  subject: string
  sealed_key: string | null
}

const findKeys: Statement = {
  name: 'person_keys_find',
  text: 'select subject, sealed_key from shop.person_keys where subject = any($1::uuid[])',
}
// The update without effect makes the statement return the key of the first writer.
const createKeys: Statement = {
  name: 'person_keys_create',
  text: `insert into shop.person_keys (subject, sealed_key)
    select * from unnest($1::uuid[], $2::text[])
    on conflict (subject) do update set subject = excluded.subject
    returning subject, sealed_key`,
}

const eraseKey: Statement = {
  name: 'person_keys_erase',
  text: `insert into shop.person_keys (subject, erased_at)
    values ($1, now())
    on conflict (subject) do update
    set sealed_key = null, erased_at = coalesce(person_keys.erased_at, now())`,
}

// Keys are kept for five minutes: what was destroyed before has been dropped by itself.
const findErased: Statement = {
  name: 'person_keys_find_erased',
  text: `select subject, sealed_key
    from shop.person_keys
    where erased_at > now() - interval '6 minutes' and sealed_key is null`,
}

const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const staleAfterMs = 5 * 60_000

/**
 * Seals for the codec over shop.person_keys. A key that is known needs no I/O. Throws Unavailable
 * when the database does not answer, and Error for text that was changed or moved.
 */
export function createSeals(
  pool: Pool,
  secrets: Secrets,
  { keysMax = 20_000 }: { keysMax?: number } = {},
): PersonKeys {
  const known = new LRUCache<string, Key>({
    max: keysMax,
    ttl: staleAfterMs,
    ttlResolution: 1_000,
  })
  const gone = new LRUCache<string, true>({ max: keysMax, ttl: staleAfterMs, ttlResolution: 1_000 })
  const find = cached(known, subjects => loadKeys(pool, secrets, subjects))
  const create = cached(known, subjects => ensureKeys(pool, secrets, subjects))
  return {
    async seal(subject, text) {
      if (!idForm.test(subject)) throw new Error('a person is named by a UUID')
      const key = known.get(subject) ?? (await create(subject))
      // What still comes in about somebody who was erased is written so that nobody can read it.
      return sealText(
        key instanceof KeyObject ? key : createSecretKey(randomBytes(32)),
        text,
        subject,
      )
    },
    async open(subject, sealed) {
      if (!idForm.test(subject)) return undefined
      const key = known.get(subject) ?? (await find(subject))
      if (!(key instanceof KeyObject) || gone.has(subject)) return undefined
      const text = openText(key, sealed, subject)
      if (text !== undefined) return text
      // Somebody who knows already that the key is gone has sealed this with none.
      const left = await loadKeys(pool, secrets, [subject])
      if (gone.has(subject) || left.get(subject) === 'erased') return undefined
      throw new Error(`what was sealed for ${subject} has been changed`)
    },
    async isErased(subject) {
      if (!idForm.test(subject)) return false
      return gone.has(subject) || (known.get(subject) ?? (await find(subject))) === 'erased'
    },
    evict(subject) {
      if (idForm.test(subject)) gone.set(subject, true)
    },
    async erase(subject) {
      await rows(pool, eraseKey, [subject])
      known.set(subject, 'erased')
    },
    async dropErased() {
      const found = await rows<KeyRow>(pool, findErased)
      const changed = found.filter(({ subject }) => known.get(subject) !== 'erased')
      for (const { subject } of changed) known.set(subject, 'erased')
      return changed.length > 0
    },
  }
}

/** Look-ups in batches whose results are kept; a key that was erased meanwhile stays erased. */
function cached(
  known: LRUCache<string, Key>,
  load: (subjects: readonly string[]) => Promise<Map<string, Key>>,
) {
  return createKeyLoader(async subjects => {
    const found = await load(subjects)
    for (const [subject, key] of found) {
      if (known.get(subject) === 'erased') found.set(subject, 'erased')
      else known.set(subject, key)
    }
    return found
  })
}

async function loadKeys(pool: Pool, secrets: Secrets, subjects: readonly string[]) {
  return keysOf(secrets, await rows<KeyRow>(pool, findKeys, [subjects]))
}

async function ensureKeys(pool: Pool, secrets: Secrets, subjects: readonly string[]) {
  const found = await loadKeys(pool, secrets, subjects)
  // In order, so that two processes that create the same keys wait for each other in one direction.
  const missing = subjects.filter(subject => !found.has(subject)).sort()
  if (missing.length === 0) return found
  const sealed = missing.map(subject => {
    return secrets.seal('person-keys', randomBytes(32).toString('base64url'), subject)
  })
  const created = await rows<KeyRow>(pool, createKeys, [missing, sealed])
  return new Map([...found, ...keysOf(secrets, created)])
}

function keysOf(secrets: Secrets, found: readonly KeyRow[]): Map<string, Key> {
  return new Map(
    found.map(({ subject, sealed_key: sealed }): [string, Key] => {
      if (sealed === null) return [subject, 'erased']
      const text = secrets.open('person-keys', sealed, subject)
      return [subject, createSecretKey(Buffer.from(text, 'base64url'))]
    }),
  )
}
