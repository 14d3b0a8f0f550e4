// The active mutant for what Node itself loads or reads: child processes, threads, SQL of the
// migrations. Preloaded by NODE_OPTIONS (see mutantEnvironment), which it hands on to children.
import { ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'
import { activeMutant, mutantEnvironment, mutated } from './active.ts'
import type { Mutant } from './mutant.ts'

const mutant = activeMutant()
if (mutant !== undefined) {
  changeModules(mutant)
  changeTexts(mutant)
  handOn(mutant)
}

/** Modules, as they are loaded. */
function changeModules(mutant: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:') || !loaded.source) return loaded
      const path = fileURLToPath(url.replace(/[?#].*/, ''))
      const changed = mutated(mutant, path, textOf(loaded.source))
      return changed === undefined ? loaded : { ...loaded, source: changed }
    },
  })
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source)
}

/** Files that the program reads by itself, such as migrations in SQL; never modules, see above. */
function changeTexts(mutant: Mutant): void {
  const { readFile } = fs.promises
  const reading = async (...[path, ...rest]: Parameters<typeof readFile>) => {
    const text = await readFile(path, ...rest)
    const name = path instanceof URL ? fileURLToPath(path) : path
    if (typeof name !== 'string' || typeof text !== 'string') return text
    return /\.[jt]sx?$/.test(name) ? text : (mutated(mutant, name, text) ?? text)
  }
  Object.assign(fs.promises, { readFile: reading })
  syncBuiltinESMExports()
}

/** Children get the mutant even where their environment is given to them in full. */
function handOn({ name }: Mutant): void {
  const launch: unknown = Reflect.get(ChildProcess.prototype, 'spawn')
  if (typeof launch !== 'function') throw new Error('this Node starts children in another way')
  const settings = mutantEnvironment(name, process.env.MUTANT_SEEN)
  const pairs = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  const isOurs = (pair: string) => Object.keys(settings).some(key => pair.startsWith(`${key}=`))
  Reflect.set(
    ChildProcess.prototype,
    'spawn',
    function spawn(this: ChildProcess, options: { envPairs?: string[] }) {
      const given = options.envPairs ?? []
      return launch.call(this, {
        ...options,
        envPairs: [...given.filter(pair => !isOurs(pair)), ...pairs],
      })
    },
  )
}
