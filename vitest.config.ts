// How the tests run: real servers started once, one process a file, three files at a time.
// `npm test` stays within minutes; `npm run test:long` has the longest suites of faults, and many
// processes, which need the machine to themselves.
import { defineConfig } from 'vitest/config'
import { mutantPlugins } from './tests/mutants/plugin.ts'

const timeouts = { testTimeout: 30_000, hookTimeout: 60_000, teardownTimeout: 30_000 }
const globalSetup = ['tests/support/globalSetup.ts']
const processes = ['tests/processes/**/*.test.ts']
const long = [
  'tests/simulation/power.test.ts',
  'tests/faults/{postgresSilent,readiness,redisAtStart}.test.ts',
  'tests/security/passwordTries.test.ts',
  'tests/workers/silence.test.ts',
  'tests/e2e/consoleTrouble.test.ts',
]

export default defineConfig({
  // None, unless MUTANT names one: see docs/mutations.md.
  plugins: mutantPlugins(),
  test: {
    pool: 'forks',
    maxWorkers: 3,
    projects: [
      {
        test: {
          ...timeouts,
          globalSetup,
          name: 'servers',
          include: ['tests/**/*.test.ts'],
          exclude: [...processes, ...long],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...timeouts,
          globalSetup,
          name: 'long',
          include: long,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: { ...timeouts, name: 'processes', include: processes, sequence: { groupOrder: 2 } },
      },
    ],
  },
})
