// Builds the console where its tools are not installed (npm ci --omit=dev): they are installed in a
// temporary directory, used once, and removed.
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { putInPlace } from './building.ts'

const project = join(import.meta.dirname, '..')
const copied = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'console']
const lent = ['src/domain']
/** The reference at /redoc is one file of a package that is not needed otherwise. */
const reference = 'node_modules/redoc/bundles/redoc.standalone.js'

/** Installs, builds and cleans up. The seconds it took. Throws what npm said when it cannot. */
export async function buildElsewhere(): Promise<number> {
  const startedAt = performance.now()
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-console-'))
  try {
    for (const name of [...copied, ...lent]) {
      const filter = (path: string) => !/^dist(\.|$)/.test(basename(path))
      await cp(join(project, name), join(directory, name), { recursive: true, filter })
    }
    npm(directory, 'ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund')
    run(directory, process.execPath, 'console/build.ts', '--quiet')
    await cp(join(directory, 'console/dist'), join(import.meta.dirname, 'dist.elsewhere'), {
      recursive: true,
    })
    await putInPlace(join(import.meta.dirname, 'dist.elsewhere'))
    await mkdir(join(project, reference, '..'), { recursive: true })
    await cp(join(directory, reference), join(project, reference))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  return (performance.now() - startedAt) / 1_000
}

/** The npm that runs this, or the one of the machine. */
function npm(directory: string, ...args: string[]): void {
  const own = process.env.npm_execpath
  if (own?.endsWith('.js')) run(directory, process.execPath, own, ...args)
  else run(directory, 'npm', ...args)
}

function run(cwd: string, command: string, ...args: string[]): void {
  // What this install was told, such as to leave the tools out, is not for the one in there.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name))
  const env = { ...Object.fromEntries(inherited), NODE_ENV: 'development' }
  const { status, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' })
  if (status === 0) return
  const reason = error?.message ?? stderr.trim().split('\n').slice(0, 3).join(' ')
  throw new Error(`The tools that build the console cannot be used: ${reason}`)
}
