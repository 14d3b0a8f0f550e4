// The acceptance list: each promised line has one row, and its proofs exist and can fail.
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { everyGuard } from '../mutants/lists/index.ts'
import { project } from '../support/tidy/sources.ts'

const list = await readFile(join(import.meta.dirname, 'README.md'), 'utf8')

const rows = list
  .split('\n')
  .filter(line => /^\| [CLMS]\d?-\d/.test(line))
  .map(line => line.split('|').slice(1, -1))
  .map(cells => cells.map(cell => cell.trim()))
  .map(([id = '', asked = '', here = '', proof = '', ...more]) => ({
    ...{ id, asked, here, proof, more },
    tests: [...proof.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
  }))

/** The lines that the list promises, from ranges such as S0-01–S0-38. */
function promisedLines(): string[] {
  const ranges = list.matchAll(/\b([CLMS]\d?)-(\d\d)–\1-(\d\d)\b/g)
  return [...ranges].flatMap(([, group, first, last]) => {
    const count = Number(last) - Number(first) + 1
    return Array.from({ length: count }, (_, index) => {
      return `${group}-${String(Number(first) + index).padStart(2, '0')}`
    })
  })
}

describe('the acceptance list', () => {
  it('has one row for each promised line, and no other', () => {
    expect(promisedLines().length).toBeGreaterThan(250)
    expect(rows.map(({ id }) => id).toSorted()).toEqual(promisedLines().toSorted())
  })

  it('has four cells in each row, and a proof unless the feature is absent', () => {
    const lacking = rows.filter(({ asked, here, proof, tests, more }) => {
      const isFilled = asked !== '' && here !== '' && proof !== '' && more.length === 0
      const isAbsent = proof === '–' && /not yet|not offered/.test(here)
      return !isFilled || (tests.length === 0 && !isAbsent)
    })
    expect(lacking).toEqual([])
  })

  it('names test files that exist', async () => {
    const named = [...new Set(rows.flatMap(({ tests }) => tests))]
    const missing = await Promise.all(
      named.map(path =>
        access(join(project, path)).then(
          () => [],
          () => path,
        ),
      ),
    )
    expect(named.length).toBeGreaterThan(50)
    expect(missing.flat()).toEqual([])
  })

  it('names test files that were seen to fail, each by a mutant', () => {
    const tried = new Set(everyGuard.map(({ test }) => test))
    const named = rows.flatMap(({ tests }) => tests)
    expect(named.filter(path => !tried.has(path))).toEqual([])
  })
})
