// Runs a program of the shop as a process of its own, with these settings alone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What a program needs beside its settings, and what Node has compiled for others before it. */
export function bareEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '/', NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME, ...(NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE } : {}) }
}

/** Runs a script with its arguments; resolves with its exit code and what it has said. */
export async function runProgram([script = '', ...args]: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => {
    said.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    said.stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, ...said }
}
