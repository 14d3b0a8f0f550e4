// Small files that only their owner may read: passwords, ports, what runs right now.
import { randomBytes } from 'node:crypto'
import { chown, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { parseJson } from '../../src/kit/parseJson.ts'

/** Writes a file that only this user may read (0600), whole or not at all. */
export async function writePrivate(path: string, content: unknown): Promise<void> {
  const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2)
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  await writeFile(temporary, `${text}\n`, { mode: 0o600, flush: true })
  // One start as root must not lock the owner of the directory out of the next.
  const { uid, gid } = await stat(dirname(path))
  if (process.getuid?.() === 0 && uid !== 0) await chown(temporary, uid, gid)
  await rename(temporary, path)
}

/** Reads a JSON file of that shape; undefined when it is missing or something else. */
export async function readPrivate<Schema extends TSchema>(
  path: string,
  schema: Schema,
): Promise<Static<Schema> | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return ''
    throw error
  })
  const check = Compile(schema)
  const value = parseJson(text)
  return check.Check(value) ? value : undefined
}

/** A password of 192 random bits that needs no escaping in a URL or a configuration file. */
export function randomPassword(): string {
  return randomBytes(24).toString('hex')
}
