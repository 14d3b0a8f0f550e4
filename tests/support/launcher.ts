// Runs the launcher as a person at a terminal does, and watches what it says.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { bareEnvironment } from './programs.ts'
import { waitFor } from './waitFor.ts'

export interface Launcher {
  pid: number
  stdout(): string
  stderr(): string
  /** Waits until it says so, and throws with what it said when it ends before. */
  says(text: RegExp): Promise<RegExpMatchArray>
  /** The exit code. */
  ended(): Promise<number | null>
  /** A signal to its whole process group, as Ctrl-C in a terminal. */
  signal(signal: NodeJS.Signals): void
}

/** Starts a script, or a command of npm, with these settings and those that a shell needs. */
export function startLauncher(
  script: string,
  settings: Record<string, string>,
  more: readonly string[] = [],
): Launcher {
  const isOfNpm = script.startsWith('npm ')
  const [command = '', ...args] = isOfNpm ? script.split(' ') : [process.execPath, script]
  const child = spawn(command, [...args, ...more], {
    env: { ...bareEnvironment(), ...settings },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', chunk => {
    output.stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    output.stderr += chunk
  })
  const closed = once(child, 'close')
  const pid = child.pid ?? 0
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const says = (text: RegExp) =>
    waitFor(
      `"${text.source}"`,
      () => {
        const found = output.stdout.match(text)
        if (!found && hasEnded()) throw new Error(`It ended: ${output.stdout}${output.stderr}`)
        return found
      },
      60_000,
    )
  return {
    pid,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    says,
    ended: () => closed.then(() => child.exitCode),
    signal: signal => {
      if (!hasEnded()) process.kill(-pid, signal)
    },
  }
}

/** The processes of this machine whose command line names that text: Linux only. */
export function processesOf(text: string): number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(Number).filter(pid => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return pid !== process.pid && line.includes(text)
    } catch {
      return false
    }
  })
}
