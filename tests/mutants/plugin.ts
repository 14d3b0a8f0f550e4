// The active mutant for what vitest transforms: the sources that run in its own processes.
import type { Plugin } from 'vitest/config'
import { activeMutant, isMutated, mutated } from './active.ts'

/** Plugins for every project of vitest.config.ts: none unless MUTANT names a mutant. */
export function mutantPlugins(env: NodeJS.ProcessEnv = process.env): Plugin[] {
  const mutant = activeMutant(env)
  if (mutant === undefined) return []
  const pathOf = (id: string) => id.replace(/\?.*/, '')
  return [
    {
      name: 'mutant',
      enforce: 'pre',
      transform: (code, id) => mutated(mutant, pathOf(id), code),
      // What was transformed is kept on the disk for later runs, which must not get a mutant.
      configureVitest({ defineCacheKeyGenerator }) {
        defineCacheKeyGenerator(({ id }) => (isMutated(mutant, pathOf(id)) ? false : undefined))
      },
    },
  ]
}
