// A copy of the project in which one mutant after the other is written to the disk.
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyMutant, changesOf, project } from './applyMutant.ts'
import type { Mutant } from './mutant.ts'

/** What is not copied: packages are linked, the others are made anew or not needed. */
const left = ['node_modules', '.git', '.data']
const built = join(project, 'console/dist')

export interface Copy {
  directory: string
  /** Writes a mutant to the copy; the function takes it out again. */
  change(mutant: Mutant): Promise<() => Promise<void>>
  remove(): Promise<void>
}

/** Copies the project. The built console is left out: it is built from what the copy has. */
export async function copyProject(): Promise<Copy> {
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-mutated-'))
  const names = (await readdir(project)).filter(name => !left.includes(name))
  await Promise.all(
    names.map(name =>
      cp(join(project, name), join(directory, name), {
        recursive: true,
        filter: path => !path.startsWith(built),
      }),
    ),
  )
  await symlink(join(project, 'node_modules'), join(directory, 'node_modules'))
  return {
    directory,
    change: mutant => changeIn(directory, mutant),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

async function changeIn(directory: string, mutant: Mutant): Promise<() => Promise<void>> {
  const files = [...new Set(changesOf(mutant).map(({ file }) => file))]
  const write = async (change: (file: string, text: string) => string) => {
    for (const file of files) {
      const text = await readFile(join(project, file), 'utf8')
      await writeFile(join(directory, file), change(file, text))
    }
  }
  await write((file, text) => applyMutant(mutant, file, text))
  return () => write((_, text) => text)
}
