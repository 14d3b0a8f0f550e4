// How the tests run: real servers started once, in three processes, each of which runs one file
// after another and loads the sources once. `npm test` takes minutes; `npm run test:long` has the
// slowest suites of faults, more rounds of others, and many processes, which need the machine to
// themselves.
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { mutantPlugins } from './tests/mutants/plugin.ts'

const timeouts = { testTimeout: 30_000, hookTimeout: 60_000, teardownTimeout: 30_000 }
const globalSetup = ['tests/support/globalSetup.ts']
const domain = ['tests/domain/**/*.test.ts']
const processes = ['tests/processes/**/*.test.ts']
const long = [
  'tests/simulation/power.test.ts',
  'tests/faults/{postgresSilent,readiness,redisAtStart}.test.ts',
  'tests/security/passwordTries.test.ts',
  'tests/workers/silence.test.ts',
  'tests/e2e/consoleTrouble.test.ts',
]
/** In `npm test`, too, with fewer rounds or rows. */
const longer = ['tests/crash/kills.test.ts', 'tests/workers/productImportKill.test.ts']

export default defineConfig({
  // None, unless MUTANT names one: see docs/mutations.md.
  plugins: mutantPlugins(),
  test: {
    pool: 'forks',
    maxWorkers: 3,
    // Programs that tests start load what Node has compiled before: half a second less for each.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/tests') },
    projects: [
      // Needs no servers.
      { test: { ...timeouts, name: 'domain', isolate: false, include: domain, maxWorkers: 2 } },
      {
        test: {
          ...timeouts,
          globalSetup,
          name: 'servers',
          isolate: false,
          include: ['tests/**/*.test.ts'],
          exclude: [...domain, ...processes, ...long],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...timeouts,
          globalSetup,
          name: 'long',
          include: [...long, ...longer],
          env: { CRASH_ROUNDS: '8', IMPORT_ROWS: '4000' },
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: { ...timeouts, name: 'processes', include: processes, sequence: { groupOrder: 3 } },
      },
    ],
  },
})
