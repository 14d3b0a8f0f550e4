// What a mutant is: one guard or feature of the sources taken out, and the promise that it breaks.

/** One exact text of a file, which must be there exactly once, and what takes its place. */
export interface Change {
  /** Relative to the project, with slashes. */
  file: string
  find: string
  replace: string
}

export interface Mutant extends Change {
  /** Unique, in kebab case: `npm run test:mutants -- --only NAME`. */
  name: string
  /** What the shop promises and no longer keeps, in one line that a stranger understands. */
  promise: string
  /** Further places, where one alone takes nothing out. */
  also?: readonly Change[]
  /** For sources that a test reads as text: see `needsCopy`. */
  inCopy?: true
}

/** A mutant with the test file that has to fail under it. */
export interface TestedMutant extends Mutant {
  test: string
  /** Its test takes a browser, or most of a minute: `--quick` leaves it out. */
  slow?: true
}

const loaded = /^(src|tools|migrations)\//

/**
 * Whether a mutant is tried in a copy of the project, with the change on the disk: for what tests
 * and tools read by themselves, such as the console, package.json and docker-compose.yml. What
 * Node loads is changed in memory.
 */
export function needsCopy({ file, also = [], inCopy }: Mutant): boolean {
  return (
    inCopy === true || ![file, ...also.map(change => change.file)].every(name => loaded.test(name))
  )
}
