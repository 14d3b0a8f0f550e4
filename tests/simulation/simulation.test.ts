// A share of the simulation: seeds that once broke a promise, some new ones, and proof that a seed
// is a run. `npm run simulate` goes on from here.
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { faults } from './faults.ts'
import { operations } from './operations.ts'
import { makers } from './workload/plan.ts'

const runFile = promisify(execFile)
const main = join(import.meta.dirname, 'main.ts')

/** What the command says and how it ends: in a process of its own, all of it in virtual time. */
async function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return runFile(process.execPath, [main, ...args], { maxBuffer: 1e8 }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    error => ({ code: error.code, output: `${error.stdout}${error.stderr}` }),
  )
}

describe('the simulated shop', { timeout: 300_000 }, () => {
  it('keeps every promise in the runs that once broke one', async () => {
    expect(await simulate('--saved')).toMatchObject({ code: 0 })
  })

  it('keeps every promise in runs that nobody has chosen', async () => {
    const from = 1_000 + (Date.now() % 1_000_000)
    expect(
      await simulate('--from', `${from}`, '--seeds', '100000', '--minutes', '0.2'),
    ).toMatchObject({ code: 0 })
  })

  it('does the same in each run of a seed', async () => {
    const trace = async () => (await simulate('--from', '12', '--seeds', '3', '--traces')).output
    const first = await trace()
    expect(first).toMatch(/^12 \w+/m)
    expect(await trace()).toBe(first)
  })

  it('notices a guard that is missing, and says what is broken by which events', async () => {
    const { code, output } = await simulate('--mutant', 'append-anywhere', '--shrink', '5')
    expect(code).toBe(1)
    expect(output).toMatch(/Seed \d+:\n {2}[a-z ]+: .*[.]\n/)
    expect(output).toMatch(/Shrunk to \d+ commands and \d+ faults/)
    expect(output).toContain('const plan = planOf(')
    expect(output).toContain('{ only })')
  })

  it('prints a test that strikes with the faults that were asked for, and no others', async () => {
    const asked = ['--mutant', 'append-anywhere', '--shrink', '1', '--faults', 'slow-answer']
    const { code, output } = await simulate(...asked)
    expect(code).toBe(1)
    expect(output).toContain("import { run } from './run.ts'\n")
    expect(output).toContain("{ faults: ['slow-answer'], only })")
  })
})

describe('the command', { timeout: 60_000 }, () => {
  it('explains itself, and refuses what it does not know', async () => {
    expect((await simulate('--help')).output).toContain('Usage: npm run simulate')
    expect((await simulate('--list')).output).toContain('lost-answer')
    expect(await simulate('--faults', 'gremlins')).toMatchObject({ code: 2 })
    expect(await simulate('--mutant', 'gremlins')).toMatchObject({ code: 2 })
    expect(await simulate('--seeds', 'many')).toMatchObject({ code: 2 })
  })
})

describe('the workload', () => {
  it('asks for every command of the shop', async () => {
    const folder = join(import.meta.dirname, '../../src/commands')
    const all = await readdir(folder, { recursive: true })
    const files = all.filter(name => name.endsWith('.ts'))
    const texts = await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))
    const names = texts.flatMap(text =>
      [...text.matchAll(/name: '([A-Z]\w+)',\n\s+roles:/g)].map(([, name]) => name),
    )
    expect(names.length).toBeGreaterThan(30)
    // What the shop notes by itself of an account, whose table is not simulated, nobody asks for.
    const known = ['NotePassword', ...makers.map(({ name }) => name)]
    expect(names.filter(name => name === undefined || !known.includes(name))).toEqual([])
  })

  it('names only what can be asked for', () => {
    const atProvider = ['ConfirmPayment', 'RefundAtProvider']
    const known = new Set([...Object.keys(operations), ...atProvider])
    expect(makers.filter(({ name }) => !known.has(name))).toEqual([])
  })
})

it('faults have names and say what happens', () => {
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length)
  for (const { name, what } of faults) {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(what).toMatch(/^[A-Z].*\.$/)
  }
})
