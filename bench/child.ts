// Processes that a benchmark starts: they end with it, and what they say is kept for their end.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const project = join(import.meta.dirname, '..')
const stopMs = 15_000
/** The API takes 257 MB instead of 376 with it, and no more time (docs/decisions/0020). */
const ofServers = ['--max-semi-space-size=16']
const servers = ['src/main/api.ts', 'src/main/worker.ts']
const saidMax = 4_000

export interface Child {
  pid: number
  /** The last things it said. */
  said(): string
  hasEnded(): boolean
  exitCode(): number | null
  /** Asks it to end, and ends it where it does not. */
  stop(): Promise<void>
}

/** The flags of Node for a script, as package.json has them. */
export function flagsOf(script: string): string[] {
  return servers.includes(script) ? ofServers : []
}

/** Runs a script of the project with these settings and no others of ours. */
export function startScript(
  script: string,
  settings: Record<string, string>,
  wanted: readonly string[] = [],
): Child {
  const child = spawn(process.execPath, [...flagsOf(script), join(project, script), ...wanted], {
    cwd: project,
    env: { ...surroundings(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return watched(child)
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
