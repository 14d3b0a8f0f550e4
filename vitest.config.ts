// How the tests run: real servers started once, one process a file, three files at a time. The many
// processes of tests/processes need the machine to themselves, so they run after all others.
import { defineConfig } from 'vitest/config'

const timeouts = { testTimeout: 30_000, hookTimeout: 60_000, teardownTimeout: 30_000 }

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 3,
    projects: [
      {
        test: {
          ...timeouts,
          name: 'servers',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/processes/**'],
          globalSetup: ['tests/support/globalSetup.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...timeouts,
          name: 'processes',
          include: ['tests/processes/**/*.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
