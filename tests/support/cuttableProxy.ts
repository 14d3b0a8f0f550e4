// A TCP proxy on the loopback whose connections a test can cut, to stand before any server.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface CuttableProxy {
  port: number
  /** Resets every connection; new ones are accepted at once. */
  cut(): Promise<void>
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1 and passes every connection on to `host:port`. */
export async function cuttableProxy(host: string, port: number): Promise<CuttableProxy> {
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(port, host)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  const cut = async () => {
    const closed = [...sockets].map(socket => once(socket, 'close'))
    for (const socket of [...sockets]) socket.resetAndDestroy()
    await Promise.all(closed)
  }
  return {
    port: address.port,
    cut,
    close: async () => {
      server.close()
      await cut()
    },
  }
}
