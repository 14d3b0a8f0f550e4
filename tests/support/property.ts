// Properties: a thousand fixed cases, the same everywhere, and a thousand new ones in each run.
import fc from 'fast-check'

const fixedSeed = 20_110_809
/** `npm run test:domain` tries fewer. */
const usual = Number(process.env.PROPERTY_CASES ?? 1_000)

/**
 * Checks that `predicate` throws for no value: first with a fixed seed, so that a failure can be
 * had again, then with a fresh one, which the report of a failure names together with the
 * smallest value that fails. `PROPERTY_SEED` takes the place of the fresh seed.
 */
export function forAll<Value>(
  values: fc.Arbitrary<Value>,
  predicate: (value: Value) => void,
  { cases = usual }: { cases?: number } = {},
): void {
  for (const seed of [fixedSeed, freshSeed()]) {
    fc.assert(fc.property(values, predicate), { numRuns: cases, seed })
  }
}

/** The same for a predicate that waits. */
export async function forAllAsync<Value>(
  values: fc.Arbitrary<Value>,
  predicate: (value: Value) => Promise<void>,
  { cases = usual }: { cases?: number } = {},
): Promise<void> {
  for (const seed of [fixedSeed, freshSeed()]) {
    await fc.assert(fc.asyncProperty(values, predicate), { numRuns: cases, seed })
  }
}

function freshSeed(): number {
  const wanted = Number(process.env.PROPERTY_SEED ?? '')
  return wanted === 0 ? Math.floor(Math.random() * 2 ** 31) : wanted
}
