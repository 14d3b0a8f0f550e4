// The mutant that this process runs with, from its environment, and how child processes get it.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { applyMutant, changesOf, nameOfFile, project } from './applyMutant.ts'
import type { Mutant } from './mutant.ts'
import { mutantNamed } from './mutants.ts'

const preload = pathToFileURL(join(project, 'tests/mutants/preload.ts')).href

/** The mutant that MUTANT names. Throws when there is none of that name. */
export function activeMutant(env: NodeJS.ProcessEnv = process.env): Mutant | undefined {
  return env.MUTANT ? mutantNamed(env.MUTANT) : undefined
}

/**
 * What the environment of a process needs so that it, its threads and all Node processes below it
 * run with the mutant. `seenFile` gets a line for each file that was changed as it was loaded.
 */
export function mutantEnvironment(
  name: string,
  seenFile?: string,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const options = env.NODE_OPTIONS ?? ''
  const isThere = options.includes(preload)
  return {
    MUTANT: name,
    NODE_OPTIONS: isThere ? options : `${options} --import=${preload}`.trim(),
    ...(seenFile === undefined ? {} : { MUTANT_SEEN: seenFile }),
  }
}

/** Whether a mutant changes this file. */
export function isMutated(mutant: Mutant, path: string): boolean {
  const file = nameOfFile(path)
  return changesOf(mutant).some(change => change.file === file)
}

/** The text of a file with the mutant, or undefined where that does not change the file. */
export function mutated(mutant: Mutant, path: string, text: string): string | undefined {
  if (!isMutated(mutant, path)) return undefined
  const file = nameOfFile(path)
  const changed = applyMutant(mutant, file, text)
  if (process.env.MUTANT_SEEN) appendFileSync(process.env.MUTANT_SEEN, `${file}\n`)
  return changed
}
