// The high-water mark of the signer in several places: a table, a file, Redis. Whoever can write to
// the database alone cannot take it back.

import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import { parsePosition } from '../../kit/position.ts'
import type { HighWaterMark, HighWaterMarks } from '../../ports/audit.ts'
import { isRowSeal, rowSeal } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'
import type { Redis } from '../redis/redis.ts'

/** One place. What it holds may have been changed, or be gone. */
export interface MarkStore {
  name: string
  read(log: string): Promise<string | undefined>
  write(log: string, sealed: string): Promise<void>
  clear(log: string): Promise<void>
}

const Digits = Type.String({ pattern: '^\\d{1,19}$' })
const Sealed = Compile(
  Type.Object({
    log: Type.String(),
    position: Digits,
    count: Type.Integer({ minimum: 0 }),
    hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    at: Type.String({ maxLength: 40 }),
  }),
)

// A new database under the old name is another log: it has another oid.
const identify: Statement = {
  name: 'audit_log_identity',
  text: `select current_database() || '-' || d.oid::text || '-' || (
      select system_identifier::text from pg_control_system()
    ) as log
    from pg_database d
    where d.datname = current_database()`,
}
const identifyBriefly: Statement = {
  name: 'audit_log_identity_brief',
  text: `select current_database() || '-' || oid::text as log
    from pg_database
    where datname = current_database()`,
}

/**
 * The mark of the log of this shop. It is kept under two names, that of the database and that of
 * the shop: a copy of yesterday that is put into a new database is still the same shop, and who
 * gives the shop another identity does not have another database. Throws only where no place can
 * be read.
 */
export function createHighWaterMarks(
  pool: Pool,
  secrets: Secrets,
  stores: readonly MarkStore[],
): HighWaterMarks {
  const database = cached(() => logIdentity(pool))
  const shop = cached(() => shopName(pool))
  const names = async () => {
    const all = await Promise.all([database(), shop()])
    return all.filter(name => name !== undefined)
  }
  return {
    async newest() {
      const known = await names()
      const read = await Promise.allSettled(
        stores.flatMap(place =>
          known.map(async name => opened(secrets, name, await place.read(name))),
        ),
      )
      const first = read[0]
      if (first?.status === 'rejected' && read.every(each => each.status === 'rejected')) {
        throw first.reason
      }
      return read
        .map(each => (each.status === 'fulfilled' ? each.value : undefined))
        .filter(mark => mark !== undefined)
        .reduce<HighWaterMark | undefined>(
          (highest, mark) => (highest && highest.position >= mark.position ? highest : mark),
          undefined,
        )
    },
    async raise(mark) {
      const sealed = (await names()).map(name => ({ name, text: sealedMark(secrets, name, mark) }))
      const written = await Promise.allSettled(
        stores.map(async place => {
          for (const { name, text } of sealed) await place.write(name, text)
        }),
      )
      return stores.filter((_, n) => written[n]?.status === 'rejected').map(place => place.name)
    },
    async reset(mark) {
      for (const name of await names()) {
        for (const place of stores) {
          if (mark === undefined) await place.clear(name)
          else await place.write(name, sealedMark(secrets, name, mark))
        }
      }
    },
  }
}

/** Asked for once, unless nothing is known yet. */
function cached<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined
  const evict = () => {
    known = undefined
  }
  return () => {
    known ??= ask()
    known.then(found => found === undefined && evict(), evict)
    return known
  }
}

/** Undefined before the first start of a shop has ended. */
async function shopName(pool: Pool): Promise<string | undefined> {
  const [row] = await rows<{ shop_id: string }>(pool, findShop)
  return row && `shop-${row.shop_id}`
}

async function logIdentity(pool: Pool): Promise<string> {
  const ask = async (statement: Statement) => (await rows<{ log: string }>(pool, statement))[0]?.log
  // Some servers keep the identity of the cluster from those who do not run it.
  return (await ask(identify).catch(() => ask(identifyBriefly))) ?? ''
}

function sealedMark(secrets: Secrets, log: string, mark: HighWaterMark): string {
  const { position, count, hash, at } = mark
  const text = JSON.stringify({
    log,
    position: String(position),
    count,
    hash,
    at: at.toISOString(),
  })
  return `${Buffer.from(text).toString('base64url')}.${rowSeal(secrets, 'audit-marks', [text])}`
}

function opened(secrets: Secrets, log: string, sealed: string | undefined) {
  const [body = '', seal = ''] = (sealed ?? '').trim().split('.')
  const text = Buffer.from(body, 'base64url').toString()
  if (!isRowSeal(secrets, 'audit-marks', { fields: [text], seal })) return undefined
  const parsed: unknown = JSON.parse(text)
  if (!Sealed.Check(parsed) || parsed.log !== log) return undefined
  const { position, count, hash, at } = parsed
  return { position: parsePosition(position), count, hash, at: new Date(at) }
}

const findShop: Statement = {
  name: 'audit_log_shop',
  text: 'select shop_id::text from shop.identity',
}
const readRow: Statement = {
  name: 'audit_marks_read',
  text: 'select sealed from shop.audit_marks where log = $1',
}
const writeRow: Statement = {
  name: 'audit_marks_write',
  text: `insert into shop.audit_marks (log, sealed)
    values ($1, $2)
    on conflict (log) do update set sealed = excluded.sealed, raised_at = now()`,
}
const clearRow: Statement = {
  name: 'audit_marks_clear',
  text: 'delete from shop.audit_marks where log = $1',
}

/** In the database: it finds who deletes checkpoints and nothing else. */
export function tableStore(pool: Pool): MarkStore {
  return {
    name: 'database',
    read: async log => (await rows<{ sealed: string }>(pool, readRow, [log]))[0]?.sealed,
    async write(log, sealed) {
      await rows(pool, writeRow, [log, sealed])
    },
    async clear(log) {
      await rows(pool, clearRow, [log])
    },
  }
}

const keyOf = (log: string) => `orderstream:audit-mark:${log}`

/** In Redis, which all processes share; `connect` is called when it is first needed. */
export function redisStore(connect: () => Redis): MarkStore {
  return {
    name: 'redis',
    read: async log => (await connect().get(keyOf(log))) ?? undefined,
    async write(log, sealed) {
      await connect().set(keyOf(log), sealed)
    },
    async clear(log) {
      await connect().del(keyOf(log))
    },
  }
}

/** In a file of a directory, which is put in its place as a whole. */
export function fileStore(directory: string): MarkStore {
  const file = (log: string) => join(directory, `mark-${log.replace(/[^\w-]/g, '_')}`)
  return {
    name: 'file',
    async read(log) {
      try {
        return await readFile(file(log), 'utf8')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
    async write(log, sealed) {
      await makeDirectory(directory, 0o700)
      const temporary = `${file(log)}.${process.pid}`
      await writeFile(temporary, `${sealed}\n`, { mode: 0o600 })
      await rename(temporary, file(log))
    },
    clear: log => rm(file(log), { force: true }),
  }
}
