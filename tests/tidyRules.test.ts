// The rules of the tidy test can fail: each finds what it forbids, on the right line, and no more.
import { describe, expect, it } from 'vitest'
import { looseLocks, loosePins } from './support/tidy/dependencies.ts'
import { breachesOfLayers } from './support/tidy/layers.ts'
import { rules } from './support/tidy/rules.ts'
import { parse } from './support/tidy/sources.ts'

interface Example {
  path?: string
  goodPath?: string
  /** The breach is on the line that ends in this mark, or on the first. */
  bad: string
  good: string
}

const mark = '// here'
const opening = '// A purpose.\n'
const lines = (count: number) => 'a()\n'.repeat(count)

const examples: Record<string, Example> = {
  'no line is longer than 100 columns': {
    bad: `a('${'x'.repeat(90)}') ${mark}`,
    good: `a('${'é'.repeat(95)}')`,
  },
  'no file is longer than 300 lines, no test than 500': {
    bad: `${opening}${lines(299)}b() ${mark}`,
    good: `${opening}${lines(299)}`,
  },
  'no function is longer than 60 lines': {
    bad: `${opening}export const f = () => { ${mark}\n${lines(59)}}`,
    good: `${opening}export const f = () => {\n${lines(58)}}`,
  },
  'no function has more than 4 parameters': {
    bad: `function f(a: 1, b: 1, c: 1, d: 1, e: 1) {} ${mark}`,
    good: 'function f(a: 1, b: 1, c: 1, { d, e }: { d: 1; e: 1 }) {}',
  },
  'no type is any': { bad: `let a: Map<string, any> ${mark}`, good: 'const any = "any"' },
  'types are cast at the boundaries only': {
    bad: `const a = b as string ${mark}`,
    good: "import { b as c } from './b.ts'\nconst a = [c] as const // as such",
  },
  'nothing is declared to be there': { bad: `a(b[0]!.c) ${mark}`, good: 'a(!b, b !== c)' },
  'syntax is erasable': {
    bad: `class A { constructor(private readonly a: string) {} } ${mark}`,
    good: "class A { readonly a = 1 }\ndeclare module 'x' { interface B {} }",
  },
  'relative imports end in .ts': {
    bad: `export { a } from './a' ${mark}`,
    good: "import a from './a.ts'\nimport b from 'b'\nawait import('node:fs')",
  },
  'a file opens with a comment on its purpose': {
    bad: 'const a = 1',
    good: '#!/usr/bin/env node\n// Says what it is for.\nconst a = 1',
  },
  'nothing is left to be done': { bad: `// ${'TO'}DO: later ${mark}`, good: '// to do' },
  'no test is singled out or left for later': {
    path: 'tests/a.test.ts',
    bad: `describe.only('a', () => {}) ${mark}`,
    good: 'it.each([1])(list.only)',
  },
  'test names are facts, not wishes': {
    path: 'tests/a.test.ts',
    bad: `it('should work', () => {}) ${mark}`,
    good: "it('works', () => say('should'))",
  },
  'the environment is read by the configuration alone': {
    bad: `const home = process.env.HOME ${mark}`,
    good: 'const { pid } = process',
  },
  'SQL is put together from known names': {
    bad: `const query = sql\`select \${sql.raw(column)}\` ${mark}`,
    good: `const query = sql\`select \${column}\``,
  },
  'the domain is pure': {
    path: 'src/domain/a.ts',
    bad: `const now = new Date() ${mark}`,
    good: 'const at = (time: Date) => time.process',
  },
  'names say what a thing does': {
    path: 'src/api/orderManager.ts',
    goodPath: 'src/api/orders.ts',
    bad: 'const a = 1',
    good: 'const a = 1',
  },
}

const imports: [what: string, path: string, bad: string, good: string][] = [
  ['another layer', 'src/domain/a.ts', '../commands/cart.ts', './cart.ts'],
  ['an adapter', 'src/api/http/a.ts', '../../infra/redis/redis.ts', '../../ports/ports.ts'],
  ['an edge', 'src/workers/a.ts', '../api/server.ts', '../commands/cart.ts'],
  ['an entry point', 'src/main/start.ts', './api.ts', '../api/server.ts'],
  ['the shop', 'src/audit/auditor/a.ts', '../hashChain.ts', './streams.ts'],
  ['a program', 'src/main/start.ts', '../../tools/start.ts', './openServices.ts'],
  ['a library of another layer', 'src/api/a.ts', 'bullmq', 'fastify'],
  ['a part of a library of another layer', 'src/commands/a.ts', 'jose/jwt', 'typebox/value'],
  ['the value of a type-only library', 'src/api/a.ts', 'kysely', '@fastify/cors'],
  ['a library nobody has listed', 'tools/a.ts', 'left-pad', 'cli-progress'],
  ['Node where only data belongs', 'src/domain/a.ts', 'node:crypto', 'typebox'],
]

const texts = Object.values(examples).flatMap(
  ({ path = 'src/api/example.ts', goodPath = path, bad, good }) => [
    { path, text: bad },
    { path: goodPath, text: good },
  ],
)
const lists = imports.flatMap(([, path, bad, good]) => [
  { path, text: `// One.\nexport { a } from '${bad}'` },
  { path, text: `// One.\nexport { a } from '${good}'` },
])
// One start of the compiler for all of them: in folders of their own, since their paths are alike.
const parsed = parse(
  [...texts, ...lists].map((file, index) => ({ ...file, path: `${index}/${file.path}` })),
).map(source => ({ ...source, path: source.path.replace(/^\d+\//, '') }))

describe('every rule', () => {
  it('has an example', () =>
    expect(rules.map(rule => rule.name).sort()).toEqual(Object.keys(examples).sort()))
})

describe.each(Object.keys(examples).map((name, index) => ({ name, index })))(
  'the rule that $name',
  ({ name, index }) => {
    const rule = rules.find(each => each.name === name)
    const [bad, good] = parsed.slice(2 * index)

    it('finds a breach on its line', () => {
      const line = (bad?.text ?? '').split('\n').findIndex(text => text.endsWith(mark)) + 1
      expect(rule?.covers(bad?.path ?? '')).toBe(true)
      expect(bad && rule?.breaches(bad).map(breach => breach.line)).toEqual([Math.max(1, line)])
    })

    it('lets be what is fine', () => expect(good && rule?.breaches(good)).toEqual([]))
  },
)

describe.each(imports.map(([what, path], index) => ({ what, path, index })))(
  'an import of $what into $path',
  ({ index }) => {
    const [bad, good] = parsed.slice(texts.length + 2 * index)

    it('is found', () => expect(bad && breachesOfLayers(bad)).toMatchObject([{ line: 2 }]))
    it('is told from one that may be', () => expect(good && breachesOfLayers(good)).toEqual([]))
  },
)

describe('an import of types alone', () => {
  it('may name what its layer may not use', () => {
    const text = "import type { Kysely } from 'kysely'\nimport { type A } from 'kysely'"
    const [source] = parse([{ path: 'src/api/a.ts', text }])
    expect(source && breachesOfLayers(source).map(breach => breach.line)).toEqual([2])
  })
})

describe('dependencies', () => {
  it('that are loose are named', () => {
    const dependencies = { a: '^1.0.0', b: '1.0.0', c: 'latest', d: '1.0.0-beta.1' }
    const found = loosePins(JSON.stringify({ dependencies, devDependencies: { e: '1.x' } }))
    expect(found).toEqual(['a ^1.0.0', 'c latest', 'e 1.x'])
  })

  it('that are locked by address, by name alone or not at all are named', () => {
    const packages = {
      '': {},
      a: { integrity: 'sha512-a' },
      b: { integrity: 'sha512-b', resolved: 'https://example.com/b.tgz' },
      c: {},
      d: { integrity: 'sha512-d', optionalDependencies: { 'd-linux': '1.0.0', a: '1.0.0' } },
    }
    const found = looseLocks(JSON.stringify({ packages }))
    expect(found).toEqual(['b has an address', 'c has no integrity', 'd lacks d-linux'])
  })
})
