// Puts a mutant in place of the sources, in memory: no file is ever written.
import { relative, resolve } from 'node:path'
import type { Change, Mutant } from './mutant.ts'

export const project = resolve(import.meta.dirname, '../..')

/** All changes of a mutant. */
export function changesOf({ file, find, replace, also = [] }: Mutant): readonly Change[] {
  return [{ file, find, replace }, ...also]
}

/** The name that mutants know a file by, from its absolute path. */
export function nameOfFile(path: string): string {
  return relative(project, path).replaceAll('\\', '/')
}

/**
 * What a file becomes. Gives the text as it is where the mutant does not change this file; throws
 * where the text to find is not there exactly once.
 */
export function applyMutant(mutant: Mutant, file: string, text: string): string {
  return changesOf(mutant)
    .filter(change => change.file === file)
    .reduce((changed, change) => replaceOnce(mutant.name, change, changed), text)
}

function replaceOnce(name: string, { file, find, replace }: Change, text: string): string {
  const [before, after, ...more] = text.split(find)
  if (before === undefined || after === undefined || more.length > 0) {
    const times = after === undefined ? 'not' : `${more.length + 1} times`
    throw new Error(`mutant ${name} is out of date: its text to find is ${times} in ${file}`)
  }
  return before + replace + after
}
