// Directories are made once, with those above them, and what cannot be made is an error.
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDirectory } from '../../src/kit/makeDirectory.ts'
import { temporaryDirectory } from '../support/servers.ts'

describe('a directory', () => {
  it('is made with all that are missing above it, and left as it is when it is there', async () => {
    const path = join(await temporaryDirectory(), 'a', 'b', 'c')
    await makeDirectory(path, 0o700)
    await writeFile(join(path, 'kept'), 'text')
    await makeDirectory(path)
    expect((await stat(join(path, 'kept'))).size).toBe(4)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
  })

  it('is made once by many', async () => {
    const path = join(await temporaryDirectory(), 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(path)))
    expect((await stat(path)).isDirectory()).toBe(true)
  })

  it('is refused where a file has its name', async () => {
    const file = join(await temporaryDirectory(), 'file')
    await writeFile(file, '')
    await expect(makeDirectory(file)).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(makeDirectory(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  it.runIf(process.platform === 'linux')('is refused where none can be, at once', async () => {
    await expect(makeDirectory('/proc/nothing/below')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
