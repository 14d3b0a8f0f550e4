// What the documents claim is there: tests, commands, printed lines, links; and the mutants.
import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generatedDocs } from '../tools/docs/generatedDocs.ts'
import { outOfDate } from './mutants/check.ts'
import { mutants } from './mutants/mutants.ts'
import { project, readFiles } from './support/tidy/sources.ts'

const read = (path: string) => readFile(join(project, path), 'utf8')
const exists = (path: string) =>
  access(join(project, path)).then(
    () => true,
    () => false,
  )
const readme = await read('README.md')
const { scripts }: { scripts: Record<string, string> } = JSON.parse(await read('package.json'))

describe.each(await generatedDocs())('$path', ({ path, text }) => {
  it('is what npm run docs writes', async () => expect(await read(path)).toBe(text))
})

describe('the list of mutants', () => {
  it('fits the sources and names test files that exist', async () => {
    expect(mutants.length).toBeGreaterThan(100)
    expect(await outOfDate(mutants)).toEqual([])
  })
})

describe('README.md', () => {
  it('names tests and rooms that exist', async () => {
    const names = [...readme.matchAll(/`((?:tests|src|docs|tools)\/[\w./-]+)`/g)]
    const found = await Promise.all(
      names.map(async ([, path = '']) => ((await exists(path)) ? [] : path)),
    )
    expect(names.length).toBeGreaterThan(5)
    expect(found.flat()).toEqual([])
  })
})

describe('docs/troubleshooting.md', () => {
  it('quotes lines that the program prints', async () => {
    const guide = await read('docs/troubleshooting.md')
    const blocks = [...guide.matchAll(/^```text\n([^`]+)\n```$/gm)].map(([, text = '']) => text)
    const pieces = blocks.flatMap(text => text.split(/\n|…/)).map(piece => piece.trim())
    const quoted = pieces.filter(piece => piece.length > 3)
    const sources = await readFiles(['src', 'tools'], /\.ts$/)
    const printed = sources.map(({ text }) => text).join('\n')
    expect(quoted.filter(piece => !printed.includes(piece))).toEqual([])
    expect(quoted.length).toBeGreaterThan(20)
  })
})

const papers = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/operations.md'],
  ...['docs/features.md', 'docs/mutations.md', 'docs/troubleshooting.md'],
  'tests/acceptance/README.md',
]

describe('commands', () => {
  it.each(papers)('in %s are scripts of package.json', async paper => {
    const named = commandsOf(await read(paper))
    expect(named.filter(name => scripts[name] === undefined)).toEqual([])
  })
})

describe('links', () => {
  it.each(papers)('in %s lead to files', async paper => {
    const links = [...(await read(paper)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
    const paths = links
      .filter(to => !/^(https?:|#)/.test(to))
      .map(to => join(dirname(paper), to.replace(/#.*/, '')))
    const found = await Promise.all(paths.map(async path => ((await exists(path)) ? [] : path)))
    expect(found.flat()).toEqual([])
  })
})

function commandsOf(text: string): string[] {
  const named = text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)
  return [...named].map(([, script, short]) => script ?? short ?? '')
}
