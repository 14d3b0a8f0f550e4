// STYLE.md as tests: the sources are read, and every breach is a line of the failure.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projections } from '../src/projections/index.ts'
import { circlesOf } from './support/tidy/circles.ts'
import { dependencyNames, looseLocks, loosePins } from './support/tidy/dependencies.ts'
import { breachesOfLayers, layers, libraries } from './support/tidy/layers.ts'
import { type Breach, rules, textRule } from './support/tidy/rules.ts'
import { parse, project, readFiles } from './support/tidy/sources.ts'

const folders = [
  'src',
  'tests',
  'tools',
  'bench',
  'migrations',
  'vitest.config.ts',
  'examples/firstOrder.ts',
  'examples/writeClient.ts',
]
const texts = ['docs', 'deploy', '.github', '.ci', 'docker-compose.yml', '.env.example', '.npmrc']
const papers = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'biome.json']
const sources = parse(await readFiles(folders, /\.tsx?$/))
const files = [
  ...sources,
  ...(await readFiles([...texts, ...papers, 'package.json'], /./)),
  ...(await readFiles(['migrations'], /\.sql$/)),
]
const manifest = await readFile(join(project, 'package.json'), 'utf8')
const lock = await readFile(join(project, 'package-lock.json'), 'utf8')

// In pieces, so that this file does not hold what it looks for.
const machinePath = textRule(new RegExp(`(?<![\\w.-])/${'work'}/`))
const registryHost = textRule(
  new RegExp(`(${'npm'}js|registry[\\w.-]*)\\.(org|com|net|io)\\b`, 'i'),
)

function report(path: string, breaches: readonly Breach[]): string[] {
  return breaches.map(({ line, says }) => `${path}:${line} ${says}`)
}

function inAll(breaches: (file: { text: string }) => Breach[]): string[] {
  return files.flatMap(file => report(file.path, breaches(file)))
}

describe('in every source', () => {
  it.each(rules)('$name', ({ covers, breaches }) => {
    const covered = sources.filter(source => covers(source.path))
    expect(covered.length).toBeGreaterThan(0)
    expect(covered.flatMap(source => report(source.path, breaches(source)))).toEqual([])
  })

  it('imports point inward, and a library has one layer', () => {
    const inside = sources.filter(({ path }) => /^(src|tools|console\/src)\//.test(path))
    const found = inside.flatMap(source => report(source.path, breachesOfLayers(source)))
    expect(found).toEqual([])
  })
})

describe('the imports of src', () => {
  const inSource = sources.filter(({ path }) => path.startsWith('src/'))

  it('have no circle of files', () => expect(circlesOf(inSource, path => path)).toEqual([]))
  it('have no circle of folders', () => expect(circlesOf(inSource, dirname)).toEqual([]))
  it('have no circle of layers', () => {
    expect(circlesOf(inSource, path => path.split('/', 2).join('/'))).toEqual([])
  })
  it('come from folders alone', () => {
    expect(inSource.filter(({ path }) => dirname(path) === 'src')).toEqual([])
  })
})

describe('in every file', () => {
  it('no path of somebody’s machine is named', () => expect(inAll(machinePath)).toEqual([]))
  it('no package registry is named', () => expect(inAll(registryHost)).toEqual([]))
  it('no line of SQL is longer than 100 columns', () => {
    const long = files
      .filter(({ path }) => path.endsWith('.sql'))
      .flatMap(file => {
        return report(file.path, textRule(/^.{101,}$/)(file))
      })
    expect(long).toEqual([])
  })
})

describe('the layers', () => {
  it('are the folders of src', () => {
    const found = sources.flatMap(({ path }) => /^src\/(\w+)\//.exec(path)?.[1] ?? [])
    expect([...new Set(found)].sort()).toEqual(Object.keys(layers).sort())
  })

  it('of libraries are known for every dependency', () => {
    expect(Object.keys(libraries).sort()).toEqual(dependencyNames(manifest).sort())
  })
})

describe('the read models', () => {
  const migrations = files.filter(({ path }) => path.endsWith('.sql')).map(({ text }) => text)
  const created = migrations.join('\n').matchAll(/create table readmodel\.(\w+)/g)
  const tables = [...created].map(([, table]) => table)

  it('have their tables in the migrations, each owned by one projection', () => {
    const owned = projections.flatMap(projection => projection.tables)
    expect(owned.toSorted()).toEqual(tables.toSorted())
    expect(new Set(owned).size).toBe(owned.length)
  })
})

describe('the dependencies', () => {
  it('are pinned to one version each', () => expect(loosePins(manifest)).toEqual([]))
  it('are locked by content, for every platform, wherever they come from', () =>
    expect(looseLocks(lock)).toEqual([]))
})
