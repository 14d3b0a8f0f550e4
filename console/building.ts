// What the console is built from, whether that has been done, and how it is done.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const here = import.meta.dirname
const dist = join(here, 'dist')
const stamp = 'sources.sha256'
const buildMsMax = 600_000
/** Below these, every file is part of it; the domain lends its tables of money and of states. */
const sources = ['src', 'index.html', 'building.ts', 'tsconfig.json', '../package.json']
const lent = ['../src/domain/kernel/money.ts', '../src/domain/order/orderStates.ts']

/** Whether what builds it is installed: in production it is not. */
export function hasTools(): boolean {
  return existsSync(join(here, '../node_modules/vite'))
}

/** Whether what is in dist was made from the sources as they are. */
export async function isBuilt(): Promise<boolean> {
  const made = await readFile(join(dist, stamp), 'utf8').catch(() => '')
  return made === (await digestOfSources())
}

/** Builds beside what is served, and puts it in its place in one step. The seconds it took. */
export async function buildConsole(): Promise<number> {
  const startedAt = performance.now()
  await dropLeftovers()
  const { build } = await import('vite')
  const digest = await digestOfSources()
  const outDir = join(here, `dist.${randomBytes(4).toString('hex')}`)
  try {
    await build({
      root: here,
      configFile: false,
      base: '/console/',
      logLevel: 'error',
      build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 2_000 },
    })
    await compress(outDir)
    await writeFile(join(outDir, stamp), digest)
    await putInPlace(outDir)
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
  return (performance.now() - startedAt) / 1_000
}

/** What builds have left that were ended in the middle. */
async function dropLeftovers(): Promise<void> {
  const names = await readdir(here)
  for (const path of names.filter(name => /^dist\./.test(name)).map(name => join(here, name))) {
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > buildMsMax) await rm(path, { recursive: true, force: true })
  }
}

/** Somebody else may be building, too: whoever comes second has made the same. */
export async function putInPlace(outDir: string): Promise<void> {
  const old = `${outDir}.old`
  await rename(dist, old).catch(() => undefined)
  try {
    await rename(outDir, dist)
  } catch (error) {
    if (!(await isBuilt())) throw error
  } finally {
    await rm(old, { recursive: true, force: true })
  }
}

/** The script is a third of its size when it is sent this way. */
async function compress(outDir: string): Promise<void> {
  const assets = join(outDir, 'assets')
  for (const name of await readdir(assets)) {
    const content = await readFile(join(assets, name))
    await writeFile(join(assets, `${name}.gz`), await promisify(gzip)(content, { level: 9 }))
  }
}

async function digestOfSources(): Promise<string> {
  const found = await Promise.all(sources.map(name => filesBelow(join(here, name))))
  const files = [...found.flat(), ...lent.map(name => resolve(here, name))].sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(file.slice(here.length)).update(await readFile(file))
  return hash.digest('hex')
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  if (entries.length === 0) return [path]
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}
