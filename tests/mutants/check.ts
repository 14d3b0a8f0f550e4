// Whether the list of mutants still fits the sources and the tests, without running anything.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applyMutant, changesOf, project } from './applyMutant.ts'
import type { Mutant, TestedMutant } from './mutant.ts'

/** What is wrong with entries of a list, one line each; nothing where all is well. */
export async function outOfDate(list: readonly (Mutant | TestedMutant)[]): Promise<string[]> {
  const names = list.map(({ name }) => name)
  const twice = names.filter((name, index) => names.indexOf(name) < index)
  const found = await Promise.all(list.map(faultsOf))
  return [...twice.map(name => `mutant ${name} is there twice`), ...found.flat()]
}

async function faultsOf(mutant: Mutant | TestedMutant): Promise<string[]> {
  const files = [...new Set(changesOf(mutant).map(({ file }) => file))]
  const changes = await Promise.all(files.map(file => faultOfFile(mutant, file)))
  return [...changes.flat(), ...('test' in mutant ? await faultOfTest(mutant) : [])]
}

async function faultOfFile(mutant: Mutant, file: string): Promise<string[]> {
  try {
    const text = await textOf(file)
    if (text === undefined) return [`mutant ${mutant.name} is out of date: there is no ${file}`]
    const isSame = applyMutant(mutant, file, text) === text
    return isSame ? [`mutant ${mutant.name} changes nothing in ${file}`] : []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

async function faultOfTest({ name, test }: TestedMutant): Promise<string[]> {
  const text = await textOf(test)
  return text === undefined ? [`mutant ${name} is out of date: there is no ${test}`] : []
}

function textOf(file: string): Promise<string | undefined> {
  return readFile(join(project, file), 'utf8').catch(() => undefined)
}
