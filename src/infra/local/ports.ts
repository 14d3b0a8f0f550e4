// TCP ports of this machine: which one is free, and why one is not.
import { createServer } from 'node:net'

/** A free port of 127.0.0.1: the preferred one when it is free, else one the system picks. */
export async function freePort(preferred = 0): Promise<number> {
  const first = await tryPort('127.0.0.1', preferred)
  const result = typeof first === 'number' ? first : await tryPort('127.0.0.1', 0)
  if (typeof result === 'number') return result
  throw result
}

/** Why nothing can listen there, as one line; undefined when it can. */
export async function portFault(host: string, port: number): Promise<string | undefined> {
  const result = await tryPort(host, port)
  if (typeof result === 'number') return undefined
  const code = 'code' in result ? result.code : undefined
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is in use: stop what uses it, or set PORT to another one`
  }
  if (code === 'EACCES') return `Port ${port} needs rights that this user does not have: set PORT`
  return `Cannot listen on HOST=${host} PORT=${port}: ${result.message}`
}

function tryPort(host: string, port: number): Promise<number | Error> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const taken = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(taken))
    })
  })
}
