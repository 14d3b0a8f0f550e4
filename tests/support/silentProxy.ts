// A TCP proxy on the loopback whose connections can fall silent: open, and nothing passes any more.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface SilentProxy {
  port: number
  /** From now on nothing passes on the connections of now; new ones work. */
  silence(): void
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1 and passes every connection on to `host:port`. */
export async function silentProxy(host: string, port: number): Promise<SilentProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const server = createServer(client => {
    const pair = [client, connect(port, host)] as const
    const [, upstream] = pair
    pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    port: address.port,
    silence() {
      for (const pair of pairs) {
        for (const socket of pair) {
          socket.unpipe()
          socket.resume()
        }
      }
    },
    async close() {
      server.close()
      for (const pair of pairs) for (const socket of pair) socket.destroy()
    },
  }
}
