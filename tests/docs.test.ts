// What the documents claim is there: rows of docs/features.md, tests, commands, links.
import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generatedDocs } from '../tools/docs/generatedDocs.ts'
import { outOfDate } from './mutants/check.ts'
import { everyGuard } from './mutants/lists/index.ts'
import { mutants } from './mutants/mutants.ts'
import { tableOf } from './mutants/table.ts'
import { unprovable } from './mutants/unprovable.ts'
import { project, readFiles } from './support/tidy/sources.ts'

const read = (path: string) => readFile(join(project, path), 'utf8')
const exists = (path: string) =>
  access(join(project, path)).then(
    () => true,
    () => false,
  )
const features = await read('docs/features.md')
const readme = await read('README.md')
const { scripts }: { scripts: Record<string, string> } = JSON.parse(await read('package.json'))

/** The lines that the page says it answers, from ranges such as S0-01–S0-38. */
function promisedLines(text: string): string[] {
  const ranges = text.matchAll(/\b([CLMS]\d?)-(\d\d)–\1-(\d\d)\b/g)
  return [...ranges].flatMap(([, shop, first, last]) => {
    const count = Number(last) - Number(first) + 1
    return Array.from({ length: count }, (_, index) => {
      return `${shop}-${String(Number(first) + index).padStart(2, '0')}`
    })
  })
}

const rows = features
  .split('\n')
  .filter(line => /^\| [CLMS]\d?-\d/.test(line))
  .map(line => line.split('|').slice(1, -1))
  .map(cells => cells.map(cell => cell.trim()))
  .map(([id = '', asked = '', here = '', proof = '', ...more]) => ({
    id,
    asked,
    here,
    proof,
    more,
  }))

/** What a row names as its proof: a test file, and the name of a test in it where there is one. */
function proofsOf(proof: string): { path: string; name: string | undefined }[] {
  return proof.split(/; (?=`tests\/)/).map(text => {
    const [, path = text, name] = /^`([^`]+)`(?: › (.+))?$/.exec(text) ?? []
    return { path, name }
  })
}

async function missingProof({ path, name }: { path: string; name: string | undefined }) {
  const text = await read(path).catch(() => undefined)
  if (text === undefined) return `there is no ${path}`
  return name === undefined || text.includes(name) ? [] : `${path} has no test: ${name}`
}

describe.each(await generatedDocs())('$path', ({ path, text }) => {
  it('is what npm run docs writes', async () => expect(await read(path)).toBe(text))
})

describe('docs/mutations.md', () => {
  it('has the table of all mutants, as npm run test:mutants -- --docs prints it', async () => {
    expect(await read('docs/mutations.md')).toContain(tableOf(everyGuard))
  })
})

describe('the list of mutants', () => {
  it('fits the sources and names tests that are there', async () => {
    expect(mutants.length).toBeGreaterThan(100)
    expect(await outOfDate(mutants)).toEqual([])
  })
})

describe('docs/features.md', () => {
  it('has one row for each line that it promises, and no other', () => {
    expect(promisedLines(features).length).toBeGreaterThan(250)
    expect(rows.map(({ id }) => id).toSorted()).toEqual(promisedLines(features).toSorted())
  })

  it('has four cells in each row, and says what is missing where nothing proves it', () => {
    const lacking = rows.filter(({ asked, here, proof, more }) => {
      const isFilled = asked !== '' && here !== '' && proof !== '' && more.length === 0
      return !isFilled || (proof === '–' && !/not yet|not offered/.test(here))
    })
    expect(lacking).toEqual([])
  })

  it('names tests that exist', async () => {
    const proofs = rows.filter(({ proof }) => proof !== '–').flatMap(row => proofsOf(row.proof))
    expect(proofs.length).toBeGreaterThan(200)
    expect((await Promise.all(proofs.map(missingProof))).flat()).toEqual([])
  })

  it('names tests of which each was seen to fail: a mutant takes out what it proves', () => {
    const idOf = ({ path, name = '' }: { path: string; name: string | undefined }) =>
      `${path} › ${name}`
    const tried = new Set([
      ...everyGuard.map(({ test, named }) => `${test} › ${named}`),
      ...unprovable.map(({ test, named }) => `${test} › ${named}`),
    ])
    const named = rows.filter(({ proof }) => proof !== '–').flatMap(row => proofsOf(row.proof))
    expect(named.map(idOf).filter(proof => !tried.has(proof))).toEqual([])
    const stillNamed = new Set(named.map(idOf))
    const idle = unprovable.filter(each => !stillNamed.has(`${each.test} › ${each.named}`))
    expect(idle).toEqual([])
  })

  it('names commands that package.json has', () => {
    expect(unknownCommands(features)).toEqual([])
  })
})

describe('README.md', () => {
  it('names commands that package.json has', () => {
    expect(commandsOf(readme).length).toBeGreaterThan(5)
    expect(unknownCommands(readme)).toEqual([])
  })

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
  it('quotes lines that the program prints, and names commands that it has', async () => {
    const guide = await read('docs/troubleshooting.md')
    const blocks = [...guide.matchAll(/^```text\n([^`]+)\n```$/gm)].map(([, text = '']) => text)
    const pieces = blocks.flatMap(text => text.split(/\n|…/)).map(piece => piece.trim())
    const quoted = pieces.filter(piece => piece.length > 3)
    const sources = await readFiles(['src', 'tools'], /\.ts$/)
    const printed = sources.map(({ text }) => text).join('\n')
    expect(quoted.filter(piece => !printed.includes(piece))).toEqual([])
    expect(quoted.length).toBeGreaterThan(20)
    expect(unknownCommands(guide)).toEqual([])
  })
})

const papers = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/operations.md'],
  ...['docs/features.md', 'docs/troubleshooting.md'],
]

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

function unknownCommands(text: string): string[] {
  return commandsOf(text).filter(name => scripts[name] === undefined)
}
