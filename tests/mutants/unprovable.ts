// Proofs of docs/features.md for which no mutant can be tried here, each with the reason.

export interface Unprovable {
  test: string
  named: string
  /** Why no change of the project can take out what it proves. */
  why: string
}

/** None: every proof has its mutant. tests/docs.test.ts asks for one with each new row. */
export const unprovable: readonly Unprovable[] = []
