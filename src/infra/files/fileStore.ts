// Files in a directory that every process of the shop sees.
import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { ConfigError } from '../../config/config.ts'
import { makeDirectory, whyNotKept } from '../../kit/makeDirectory.ts'
import type { FileStore } from '../../ports/images.ts'

/** Makes the directory where it is missing. Throws ConfigError when nothing can be kept in it. */
export async function assertWritable(directory: string): Promise<void> {
  const path = resolve(directory)
  const trial = resolve(path, `.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await makeDirectory(path)
    await writeFile(trial, '')
    await rm(trial, { force: true })
  } catch (error) {
    throw new ConfigError(
      `FILES_DIR: files cannot be written to ${path} (${whyNotKept(error)}): ` +
        'make it a directory that this user may write to',
    )
  }
}

/** A store in a directory, which is made when the first file comes. */
export function createFileStore(directory: string): FileStore {
  const root = resolve(directory)
  const pathOf = (name: string) => {
    const path = resolve(root, name)
    if (!path.startsWith(root + sep)) throw new Error('a file name leads out of its directory')
    return path
  }
  return {
    async put(name, content) {
      const path = pathOf(name)
      await makeDirectory(dirname(path))
      const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
      try {
        await writeFile(temporary, content, { flush: true })
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
    async get(name) {
      try {
        return await readFile(pathOf(name))
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
  }
}
