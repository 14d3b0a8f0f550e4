// Everything that a test shop has stored, as text: for finding what should not be there.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { TestApp } from './testApp.ts'

/** All rows of all tables as text. */
export async function wholeDatabase({ back }: TestApp): Promise<string> {
  const { rows: tables } = await back.pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name
    from information_schema.tables
    where table_type = 'BASE TABLE'
      and table_schema not in ('pg_catalog', 'information_schema')`,
  )
  const dumps = await Promise.all(
    tables.map(({ name }) => back.pool.query(`select t::text as row from ${name} t`)),
  )
  return dumps.flatMap(({ rows }) => rows.map(({ row }) => row)).join('\n')
}

/** All keys and values of this shop's Redis as text. */
export async function wholeRedis({ config }: TestApp): Promise<string> {
  const redis = new Redis(config.redisUrl.reveal())
  const keys = await redis.keys('*')
  const dumps = await Promise.all(keys.map(async key => `${key} ${await contentOf(redis, key)}`))
  redis.disconnect()
  return dumps.join('\n')
}

async function contentOf(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key)
  if (type === 'string') return String(await redis.get(key))
  if (type === 'hash') return JSON.stringify(await redis.hgetall(key))
  if (type === 'list') return JSON.stringify(await redis.lrange(key, 0, -1))
  if (type === 'set') return JSON.stringify(await redis.smembers(key))
  if (type === 'zset') return JSON.stringify(await redis.zrange(key, '0', '-1'))
  if (type === 'stream') return JSON.stringify(await redis.xrange(key, '-', '+'))
  throw new Error(`${key} is a ${type}`)
}

/** Names and contents of all files that the shop keeps: images, uploads, checkpoints, lists. */
export async function wholeFiles({ config }: TestApp): Promise<string> {
  const texts: string[] = []
  for (const directory of [config.filesDirectory, config.audit.directory]) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      texts.push(path, entry.isFile() ? await readFile(path, 'latin1') : '')
    }
  }
  return texts.join('\n')
}
