// What every source has to keep to, one file at a time: sizes, syntax, words (STYLE.md §4, §7, §8).
import {
  type FunctionLikeDeclaration,
  isAsExpression,
  isAwaitExpression,
  isCallExpression,
  isFunctionLikeDeclaration,
  isIdentifier,
  isImportDeclaration,
  isNonNullExpression,
  isParameterDeclaration,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeReferenceNode,
  isVariableDeclaration,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { collect, lineOf, type Source } from './sources.ts'

export interface Breach {
  line: number
  says: string
}

export interface Rule {
  /** A fact about every source it covers. */
  name: string
  covers(path: string): boolean
  breaches(source: Source): Breach[]
}

const limits = { columns: 100, sourceLines: 300, testLines: 500, functionLines: 60, parameters: 4 }
const everywhere = () => true
const inSources = (path: string) => path.startsWith('src/')
const inDomain = (path: string) => path.startsWith('src/domain/')
const inTests = (path: string) => path.startsWith('tests/')
const except = (covers: Rule['covers'], allowed: readonly string[]) => (path: string) =>
  covers(path) && !allowed.includes(path)

/** The boundaries where text of a database becomes a type. */
const castsAllowed = ['src/eventstore/core/codec.ts', 'src/infra/postgres/database.ts']
/** Files whose SQL has names in it that are not known beforehand, none of them from outside. */
const rawSqlAllowed = [
  'src/infra/postgres/migrate.ts',
  'src/projections/core/keyedTable.ts',
  'src/projections/rebuild/rebuild.ts',
  'src/projections/rebuild/rowDifferences.ts',
  'src/projections/rebuild/shadow.ts',
  'src/projections/core/personal.ts',
  'src/projections/rebuild/swap.ts',
]

// In pieces, so that this file keeps to its own rule.
const unfinished = ['TO-DO', 'FIX-ME', 'XX-X'].map(word => word.replace('-', ''))

export const rules: readonly Rule[] = [
  {
    name: `no line is longer than ${limits.columns} columns`,
    covers: everywhere,
    breaches: ({ text }) =>
      text.split('\n').flatMap((line, index) => {
        const columns = [...line].length
        return columns > limits.columns ? [{ line: index + 1, says: `${columns} columns` }] : []
      }),
  },
  {
    name: `no file is longer than ${limits.sourceLines} lines, no test than ${limits.testLines}`,
    covers: everywhere,
    breaches: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length
      const most = inTests(path) ? limits.testLines : limits.sourceLines
      return lines > most ? [{ line: most + 1, says: `${lines} lines` }] : []
    },
  },
  {
    name: `no function is longer than ${limits.functionLines} lines`,
    covers: everywhere,
    breaches: source =>
      functions(source).flatMap(node => {
        const { line } = source.tree.getLineAndCharacterOfPosition(node.getEnd())
        const lines = line + 2 - lineOf(node, source)
        if (lines <= limits.functionLines || holdsTests(node)) return []
        return [{ line: lineOf(node, source), says: `${lines} lines in one function` }]
      }),
  },
  {
    name: `no function has more than ${limits.parameters} parameters`,
    covers: everywhere,
    breaches: source =>
      functions(source).flatMap(node => {
        const { length } = node.parameters
        if (length <= limits.parameters) return []
        return [{ line: lineOf(node, source), says: `${length} parameters` }]
      }),
  },
  forbid('no type is any', everywhere, node =>
    node.kind === SyntaxKind.AnyKeyword ? 'any' : undefined,
  ),
  forbid('types are cast at the boundaries only', except(inSources, castsAllowed), node => {
    if (node.kind === SyntaxKind.TypeAssertionExpression) return 'a cast'
    return isAsExpression(node) && node.type.getText() !== 'const' ? 'a cast' : undefined
  }),
  forbid('nothing is declared to be there', everywhere, node => {
    if (isNonNullExpression(node)) return 'a non-null !'
    return isVariableDeclaration(node) && node.exclamationToken ? 'a definite !' : undefined
  }),
  forbid('syntax is erasable', everywhere, node => {
    if (node.kind === SyntaxKind.EnumDeclaration) return 'an enum'
    if (node.kind === SyntaxKind.Decorator) return 'a decorator'
    if (node.kind === SyntaxKind.ModuleDeclaration && !augments(node)) return 'a namespace'
    if (!isParameterDeclaration(node) || !node.modifiers?.length) return undefined
    return 'a parameter property'
  }),
  forbid('relative imports end in .ts', everywhere, node => {
    const specifier = specifierOf(node)
    return specifier?.startsWith('.') && !/\.tsx?$/.test(specifier) ? specifier : undefined
  }),
  {
    name: 'a file opens with a comment on its purpose',
    covers: everywhere,
    breaches: ({ text }) => {
      const [first = ''] = text.replace(/^#!.*\n/, '').split('\n', 1)
      return /^\/\/ \S/.test(first) ? [] : [{ line: 1, says: first }]
    },
  },
  {
    name: 'nothing is left to be done',
    covers: everywhere,
    breaches: textRule(new RegExp(`\\b(${unfinished.join('|')})\\b`)),
  },
  forbid('no test is singled out or left for later', inTests, node => {
    if (!isPropertyAccessExpression(node) || !/^(only|todo)$/.test(node.name.text)) return undefined
    return /^(it|test|describe)\b/.test(node.expression.getText()) ? node.getText() : undefined
  }),
  forbid('test names are facts, not wishes', inTests, node => {
    if (!isCallExpression(node) || !/^(it|test|describe)\b/.test(node.expression.getText())) {
      return undefined
    }
    const [name] = node.arguments
    return name && isStringLiteral(name) && /\bshould\b/i.test(name.text) ? name.text : undefined
  }),
  forbid('the environment is read by the configuration alone', inSettled, node =>
    isPropertyAccessExpression(node) && node.getText() === 'process.env'
      ? 'process.env'
      : undefined,
  ),
  forbid('SQL is put together from known names', except(inSources, rawSqlAllowed), node => {
    if (!isPropertyAccessExpression(node)) return undefined
    const text = node.getText()
    return /^sql\.(raw|lit|id|ref|table)$|\bdynamic\.(ref|table)$/.test(text) ? text : undefined
  }),
  forbid('the domain is pure', inDomain, node => {
    if (isAwaitExpression(node) || node.kind === SyntaxKind.AsyncKeyword) return 'async'
    if (isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'Math.random'
    if (!isIdentifier(node) || !/^(Date|process|crypto|performance)$/.test(node.text)) {
      return undefined
    }
    // The time is an input, so its type may be named.
    return isTypeReferenceNode(node.parent) || isNameOfMember(node) ? undefined : node.text
  }),
  {
    name: 'names say what a thing does',
    covers: path => !path.startsWith('migrations/'),
    breaches: ({ path }) => {
      const name = path.split('/').at(-1) ?? ''
      const fits = /^[a-z][A-Za-z0-9]*(\.test|\.config)?\.tsx?$/.test(name)
      const vague = /(manager|helpers?|utils?|service|impl)(\.test)?\.tsx?$/i.test(name)
      return fits && !vague ? [] : [{ line: 1, says: name }]
    },
  },
]

/** Finds a pattern in a text, line by line. */
export function textRule(pattern: RegExp): (file: { text: string }) => Breach[] {
  return ({ text }) =>
    text.split('\n').flatMap((line, index) => {
      const [found] = pattern.exec(line) ?? []
      return found === undefined ? [] : [{ line: index + 1, says: found }]
    })
}

/** The module that an import, a re-export or an import() names. */
export function specifierOf(node: Node): string | undefined {
  if (!isImport(node)) return undefined
  const named = collect(node, child => {
    const isName = isStringLiteral(child) && child.parent === node
    return isName ? child.text : undefined
  })
  return named[0]
}

function isImport(node: Node): boolean {
  if (isImportDeclaration(node) || node.kind === SyntaxKind.ExportDeclaration) return true
  return isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword
}

function forbid(
  name: string,
  covers: Rule['covers'],
  judge: (node: Node) => string | undefined,
): Rule {
  return {
    name,
    covers,
    breaches: source =>
      collect(source.tree, node => {
        const says = judge(node)
        return says === undefined ? undefined : { line: lineOf(node, source), says }
      }),
  }
}

function functions({ tree }: Source): FunctionLikeDeclaration[] {
  return collect(tree, node => (isFunctionLikeDeclaration(node) ? node : undefined))
}

/** A function whose body is tests is a list, not a piece of logic. */
function holdsTests(node: Node): boolean {
  const calls = collect(node, child =>
    isCallExpression(child) && /^(it|test|describe)\b/.test(child.expression.getText())
      ? true
      : undefined,
  )
  return calls.length > 0
}

/** `declare module 'x'` adds to the types of a library and leaves nothing behind. */
function augments(node: Node): boolean {
  return /^declare\s+(module\s+['"]|global\b)/.test(node.getText())
}

function isNameOfMember(node: Node): boolean {
  const { parent } = node
  if (isPropertyAccessExpression(parent)) return parent.name === node
  return parent.kind === SyntaxKind.PropertyAssignment
}

function inSettled(path: string): boolean {
  return inSources(path) && path !== 'src/config/config.ts'
}
