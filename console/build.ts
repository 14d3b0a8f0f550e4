// Builds the console into console/dist, where the API serves it; does nothing when it is up to date.
import { setPriority } from 'node:os'
import { buildConsole, hasTools, isBuilt } from './building.ts'
import { buildElsewhere } from './buildingElsewhere.ts'

const usage = `Usage: npm run console:build [-- --quiet]

Builds the console into console/dist, where the API serves it; does nothing when it is up to date.
npm start and an install for production do this by themselves.

  --quiet      says nothing when there is nothing to do
  -h, --help   shows this`

const [argument] = process.argv.slice(2)
const quiet = argument === '--quiet'

// It may run beside a shop that is in use.
setPriority(10)
if (argument === '-h' || argument === '--help') console.log(usage)
else if (argument !== undefined && !quiet) {
  console.error(`there is no argument ${argument} (--help shows how)`)
  process.exitCode = 2
} else if (await isBuilt()) {
  if (!quiet) console.log('The console is up to date')
} else {
  console.log('The console is being built; /console shows it in some seconds')
  const seconds = hasTools() ? await buildConsole() : await buildElsewhere()
  console.log(`The console was built in ${seconds.toFixed(1)} s`)
}
