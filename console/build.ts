// Builds the console into console/dist, where the API serves it; does nothing when it is up to date.
import { setPriority } from 'node:os'
import { buildConsole, hasTools, isBuilt } from './building.ts'
import { buildElsewhere } from './buildingElsewhere.ts'

const quiet = process.argv.includes('--quiet')

// It may run beside a shop that is in use.
setPriority(10)
if (await isBuilt()) {
  if (!quiet) console.log('The console is up to date')
} else {
  console.log('The console is being built; /console shows it in some seconds')
  const seconds = hasTools() ? await buildConsole() : await buildElsewhere()
  console.log(`The console was built in ${seconds.toFixed(1)} s`)
}
