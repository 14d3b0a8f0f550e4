// Processes that a benchmark starts: they end with it, and what they say is kept for their end.
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const project = join(import.meta.dirname, '..')
const stopMs = 15_000
/**
 * As package.json has it: machine code from the first call on, so that a start is soon warm. And no
 * guess at which objects will become old: those of requests are guessed to, since many of them are
 * under way at each look, and double what a full collection has to remove.
 */
const asPublished = [
  '--import',
  './tools/keepCompiled.js',
  '--always-sparkplug',
  '--no-allocation-site-pretenuring',
]
/**
 * The API takes no more memory than it needs: a young generation of 16 MB in the place of 64 saves
 * 100 MB and costs nothing that could be measured, one of 8 MB costs a fifth of all CPU time.
 */
const ofApi = ['--flush-baseline-code', '--max-semi-space-size=16', '--heap-growing-percent=30']
/** What follows the whole log takes 90 MB less with a young generation like that of the API. */
const ofFollowers = ['--max-semi-space-size=16']
/** A pause matters to nobody there, and helpers take the processors from the database. */
const ofRebuilds = [...ofFollowers, '--no-parallel-scavenge']
/** As the image has it: each thread that has memory of its own keeps some that it does not need. */
export const ofImage = { MALLOC_ARENA_MAX: '1' }
const saidMax = 4_000

const ownFlags = new Map([
  ['src/main/api.ts', ofApi],
  ['src/main/worker.ts', ofFollowers],
  ['tools/projections.ts', ofRebuilds],
])

/** What Node is told beside a script, as package.json has it. */
export function flagsOf(script: string): string[] {
  return [...asPublished, ...(ownFlags.get(script) ?? [])]
}

export interface Child {
  pid: number
  /** The last things it said. */
  said(): string
  hasEnded(): boolean
  exitCode(): number | null
  /** Asks it to end, and ends it where it does not. */
  stop(): Promise<void>
}

/** Runs a script of the project with these settings and no others of ours. */
export function startScript(
  script: string,
  settings: Record<string, string>,
  wanted: readonly string[] = [],
): Child {
  const child = spawn(process.execPath, [...flagsOf(script), join(project, script), ...wanted], {
    cwd: project,
    env: { ...surroundings(), ...ofImage, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return watched(child)
}

/** Has Node make of the sources what the shop needs of them, as the image has it. */
export async function compileAhead(): Promise<void> {
  const where = { cwd: project, env: surroundings() }
  await promisify(execFile)(process.execPath, ['tools/compileAhead.ts'], where)
}

export interface Helper extends Child {
  /** Sends a message and waits for the next one that comes back. */
  ask(message: object): Promise<unknown>
}

/** Runs a script of the benchmarks that answers messages. */
export function startHelper(script: string): Helper {
  const child = fork(join(import.meta.dirname, script), [], {
    env: surroundings(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const watching = watched(child)
  return {
    ...watching,
    async ask(message) {
      const settled = new AbortController()
      const { signal } = settled
      const ended = once(child, 'exit', { signal }).then(() => {
        throw new Error(`${script} has ended: ${watching.said()}`)
      })
      try {
        child.send(message)
        const [answer] = await Promise.race([once(child, 'message', { signal }), ended])
        return answer
      } finally {
        settled.abort()
      }
    },
  }
}

/** What a process needs to run at all; the settings of a shop that runs here are not for it. */
export function surroundings(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }) }
}

function watched(child: ChildProcess): Child {
  let said = ''
  for (const output of [child.stdout, child.stderr]) {
    output?.on('data', data => {
      said = `${said}${data}`.slice(-saidMax)
    })
  }
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return {
    pid: child.pid ?? 0,
    said: () => said,
    hasEnded,
    exitCode: () => child.exitCode,
    async stop() {
      if (hasEnded()) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const late = sleep(stopMs, 'late', { ref: false })
      if ((await Promise.race([ended, late])) === 'late') kill()
      await ended
    },
  }
}
