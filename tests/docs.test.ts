// What the documents claim is there: tests, commands, printed lines, links; and the mutants.
import { access, readdir, readFile } from 'node:fs/promises'
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

const guides = (await readdir(join(project, 'docs'))).filter(name => name.endsWith('.md'))
/** What describes the project as it is now; decisions and the changelog are history. */
const current = ['README.md', 'CONTRIBUTING.md', ...guides.map(name => `docs/${name}`)]
const papers = [...current, 'CHANGELOG.md', 'tests/acceptance/README.md']
/** Written by commands, or an example of a file to write. */
const made = ['examples/api.d.ts', 'bench/results/', 'tests/simulation/mine.test.ts']
const pathForm = /`((?:src|tests|tools|docs|bench|deploy|examples|console|migrations)\/[\w./-]+)`/g

describe('paths', () => {
  it.each(current)('in %s exist', async paper => {
    const paths = [...(await read(paper)).matchAll(pathForm)].map(([, path = '']) => path)
    const looked = paths.filter(path => !made.includes(path))
    const found = await Promise.all(looked.map(async path => ((await exists(path)) ? [] : path)))
    expect(found.flat()).toEqual([])
  })
})

describe('names', () => {
  it.each(current)('in %s are in the files that they are said to be in', async paper => {
    const named = [...(await read(paper)).matchAll(/`(\w+)` in `((?:src|tests)\/[\w./-]+\.ts)`/g)]
    const missing = await Promise.all(
      named.map(async ([text, name = '', path = '']) => {
        return (await read(path)).includes(name) ? [] : [text]
      }),
    )
    expect(missing.flat()).toEqual([])
  })
})

describe('commands', () => {
  it.each(papers)('in %s are scripts of package.json', async paper => {
    const named = commandsOf(await read(paper))
    expect(named.filter(name => scripts[name] === undefined)).toEqual([])
  })
})

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

async function isBroken(paper: string, link: string): Promise<boolean> {
  const [file = '', anchor] = link.split('#')
  const path = file === '' ? paper : join(dirname(paper), file)
  if (!(await exists(path))) return true
  return (
    path.endsWith('.md') && anchor !== undefined && !anchorsOf(await read(path)).includes(anchor)
  )
}

describe('links', () => {
  it.each(papers)('in %s lead to files and headings', async paper => {
    const links = [...(await read(paper)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
    const local = links.filter(to => !/^https?:/.test(to))
    const broken = await Promise.all(
      local.map(async to => ((await isBroken(paper, to)) ? [to] : [])),
    )
    expect(broken.flat()).toEqual([])
  })
})

function commandsOf(text: string): string[] {
  const named = text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)
  return [...named].map(([, script, short]) => script ?? short ?? '')
}
