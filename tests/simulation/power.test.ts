// The power of the simulation: each guard of the table in docs/guarantees.md is missed within 2,000
// seeds, and many seeds of the shop as it is keep every promise. Part of `npm run test:long`.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const page = await readFile(join(import.meta.dirname, '../../docs/guarantees.md'), 'utf8')
const names = [...page.matchAll(/^\| ([a-z-]+) \|.*\| \d+ \|/gm)].map(([, name = '']) => name)
const main = join(import.meta.dirname, 'main.ts')

async function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 1e8 }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    error => ({ code: error.code, output: error.stdout }),
  )
}

describe('the simulation', { timeout: 900_000 }, () => {
  it('is tried with more than twenty mutants', () => expect(names.length).toBeGreaterThan(24))

  it.each(names)('notices that %s is taken out', async name => {
    const { code, output } = await simulate('--mutant', name, '--seeds', '2000', '--no-shrink')
    expect(output).toContain('1 broke a promise')
    // For the table.
    console.log(`${name}: ${output.split('\n  ', 2).join(' ').slice(0, 300)}`)
    expect(code).toBe(1)
  })

  it('finds nothing in the shop as it is, in five minutes of seeds', async () => {
    const from = 1_000_000 + (Date.now() % 1_000_000_000)
    const told = await simulate('--from', `${from}`, '--seeds', '0', '--minutes', '5')
    expect(told).toMatchObject({ code: 0 })
  })
})
