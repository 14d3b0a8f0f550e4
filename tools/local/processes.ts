// Server processes that outlive the one that started them: start, recognise and stop them by pid.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

export interface Account {
  uid: number
  gid: number
}

export interface SpawnedServer {
  pid: number
  hasExited(): boolean
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
}
const maxLogBytes = 8 * 1024 * 1024

/**
 * Starts a program in a process group of its own, so that Ctrl-C on the terminal does not reach
 * it, with its output appended to `logFile`. It goes on when this process ends.
 */
export async function spawnServer(
  command: string,
  args: readonly string[],
  { logFile, account }: { logFile: string; account?: Account | undefined },
): Promise<SpawnedServer> {
  rotate(logFile)
  const output = openSync(logFile, 'a', 0o600)
  // The working directory is one that every account can enter; initdb and postgres insist on it.
  const options = { cwd: '/', env: environment, detached: true, ...account }
  const child = spawn(command, args, { ...options, stdio: ['ignore', output, output] })
  closeSync(output)
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  child.unref()
  if (child.pid === undefined) throw new Error(`${command} has no pid`)
  const hasExited = () => child.exitCode !== null || child.signalCode !== null
  return { pid: child.pid, hasExited }
}

/** Runs a program to its end. `output` is what it said on both channels. */
export function run(
  command: string,
  args: readonly string[],
  options: { account?: Account | undefined; env?: Record<string, string> } = {},
): { ok: boolean; output: string } {
  const env = { ...environment, ...options.env }
  const limits = { maxBuffer: 64 * 1024 * 1024, encoding: 'utf8' } as const
  const settings = { cwd: '/', env, ...limits, ...options.account }
  const { status, stdout, stderr, error } = spawnSync(command, args, settings)
  const output = [stdout, stderr, error?.message].filter(Boolean).join('\n').trim()
  return { ok: status === 0, output }
}

/** Whether a process lives. One that ended and waits to be collected by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  return statFields(pid)[0] !== 'Z'
}

/** A mark that tells a process from a later one with the same pid; '' where the system has none. */
export function birthMark(pid: number): string {
  return statFields(pid)[19] ?? ''
}

/** The command line of a process, '' when it cannot be read. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return process.platform === 'linux' ? '' : run('ps', ['-p', `${pid}`, '-o', 'command=']).output
  }
}

/** Sends each signal in turn until the process is gone, waiting that long after each. */
export async function stopProcess(
  pid: number,
  signals: readonly { signal: keyof typeof constants.signals; waitMs: number }[],
): Promise<void> {
  for (const { signal, waitMs } of signals) {
    if (!isRunning(pid)) return
    signalProcess(pid, signal)
    if (await waitUntil(() => !isRunning(pid), waitMs)) return
  }
  if (isRunning(pid)) throw new Error(`process ${pid} does not end`)
}

/** Sends a signal to a process that may be gone already. */
export function signalProcess(pid: number, signal: keyof typeof constants.signals): void {
  try {
    process.kill(pid, constants.signals[signal])
  } catch {
    // It ended by itself in between.
  }
}

/** Asks again every 25 ms until the condition holds; false when it did not within the time. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await condition()) return true
    if (performance.now() > deadline) return false
    await pause(25)
  }
}

// /proc/<pid>/stat from the third field on; the second may hold spaces and brackets.
function statFields(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (size > maxLogBytes) renameSync(logFile, `${logFile}.1`)
}
