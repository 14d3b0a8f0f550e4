// Every mutant there is. `npm run test:mutants` runs those that name a test of the suite; the
// simulation finds its own by itself.
import { everyGuard } from './lists/index.ts'
import { simulatedGuards } from './lists/simulated.ts'
import type { Mutant } from './mutant.ts'

export const mutants: readonly Mutant[] = [...everyGuard, ...simulatedGuards]

/** The mutant of that name; throws when there is none. */
export function mutantNamed(name: string): Mutant {
  const found = mutants.find(mutant => mutant.name === name)
  if (found === undefined) throw new Error(`there is no mutant called ${name}`)
  return found
}
