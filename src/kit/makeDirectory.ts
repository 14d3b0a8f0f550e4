// Makes directories, on every file system.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './errorCode.ts'

/**
 * Makes a directory, and those above it that are missing; one that is there is left as it is.
 * Throws as mkdir does. The `recursive` of mkdir itself never ends where a file system says of a
 * new name that it does not exist, as /proc does.
 */
export async function makeDirectory(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path), mode)
    await mkdir(path, { mode }).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again
    })
  }
}

/** Why nothing can be kept in a directory, in words; the code where it is another reason. */
export function whyNotKept(error: unknown): string {
  const code = codeOf(error)
  return reasons[code] ?? code
}

const reasons: Readonly<Record<string, string>> = {
  EROFS: 'the file system is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  // Of a directory whose parents are there or were made: a file system that takes no new names.
  ENOENT: 'nothing can be made there',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'it is a file',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
}
