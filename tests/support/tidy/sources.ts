// The project's own files for the tidy test: their text, and the tree of those that are TypeScript.
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type { Node, SourceFile } from 'typescript/unstable/ast'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

export const project = resolve(import.meta.dirname, '../../..')

export interface TextFile {
  /** Relative to the project, with slashes. */
  path: string
  text: string
}

export interface Source extends TextFile {
  tree: SourceFile
}

/** The text files below some folders or files of the project; what is not there is left out. */
export async function readFiles(names: readonly string[], wanted: RegExp): Promise<TextFile[]> {
  const found = await Promise.all(names.map(name => filesBelow(join(project, name))))
  const paths = found.flat().filter(path => wanted.test(path))
  return Promise.all(
    paths.map(async path => ({
      path: relative(project, path),
      text: await readFile(path, 'utf8'),
    })),
  )
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => (error.code === 'ENOTDIR' ? undefined : []),
  )
  if (entries === undefined) return [path]
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

/**
 * Parses TypeScript with the compiler that checks the project, without looking at any other file.
 * The API is marked unstable; the exact pin of the package is what makes that bearable.
 */
export function parse(files: readonly TextFile[]): Source[] {
  const root = '/tidy'
  const settings = { compilerOptions: { noLib: true, noResolve: true, types: [] } }
  const virtual = Object.fromEntries(files.map(file => [`${root}/${file.path}`, file.text]))
  const api = new API({
    cwd: root,
    fs: createVirtualFileSystem({
      ...virtual,
      [`${root}/tsconfig.json`]: JSON.stringify({ ...settings, files: Object.keys(virtual) }),
    }),
  })
  try {
    const [opened] = api.updateSnapshot({ openProject: `${root}/tsconfig.json` }).getProjects()
    return files.map(file => {
      const tree = opened?.program.getSourceFile(`${root}/${file.path}`)
      if (tree === undefined) throw new Error(`${file.path} was not parsed`)
      return { ...file, tree }
    })
  } finally {
    api.close()
  }
}

/** The line of a node, from 1, without the comments before it. */
export function lineOf(node: Node, { tree }: Source): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}

/** Every node of a tree for which `select` gives something. */
export function collect<T>(root: Node, select: (node: Node) => T | undefined): T[] {
  const found: T[] = []
  const visit = (node: Node): void => {
    const selected = select(node)
    if (selected !== undefined) found.push(selected)
    node.forEachChild(visit)
  }
  visit(root)
  return found
}
