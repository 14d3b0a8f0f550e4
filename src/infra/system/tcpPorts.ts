// TCP ports of this machine: which one is free, and why one is not.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { codeOf } from '../../kit/errorCode.ts'

/**
 * Below those that systems give to connections that go out: one of these would be gone before
 * whoever has asked for it listens.
 */
const range = { from: 12_000, to: 32_000 }
const triesMax = 50

/** A free port of 127.0.0.1: the preferred one when it is free, else any. */
export async function freePort(preferred?: number): Promise<number> {
  const first = preferred ? await tryPort('127.0.0.1', preferred) : undefined
  if (typeof first === 'number') return first
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const found = await tryPort('127.0.0.1', randomInt(range.from, range.to))
    if (typeof found === 'number') return found
  }
  const last = await tryPort('127.0.0.1', 0)
  if (typeof last === 'number') return last
  throw last
}

/** Why nothing can listen there, as one line that names the settings; undefined when it can. */
export async function portFault(
  host: string,
  port: number,
  setting = 'PORT',
): Promise<string | undefined> {
  const result = await tryPort(host, port)
  return typeof result === 'number' ? undefined : listenFault(result, { host, port, setting })
}

/** What an error of listen means, as one line: which setting to change, and how. */
export function listenFault(
  error: unknown,
  { host, port, setting }: { host: string; port: number; setting: string },
): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return (
        `Port ${port} on ${host} is in use: stop what uses it, or set ` +
        `${setting} to another one`
      )
    case 'EACCES':
      return `Port ${port} needs rights that this user does not have: set ${setting}`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST=${host} is not known: set it to an address of this machine, such as 127.0.0.1`
    case 'EADDRNOTAVAIL':
      return `HOST=${host} is no address of this machine: set it to one, such as 127.0.0.1`
    default:
      return `Cannot listen on HOST=${host} ${setting}=${port}: ${messageOf(error)}`
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function tryPort(host: string, port: number): Promise<number | Error> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const free = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(free))
    })
  })
}
