// A TCP proxy on the loopback whose connections a test can cut, silence or leave unanswered, to
// stand before any server.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface CuttableProxy {
  port: number
  /** Resets every connection; new ones are accepted at once. */
  cut(): Promise<void>
  /**
   * Swallows every byte of the connections that are open, in one direction or in both, for ever and
   * without closing them, even where one end does: what a lost NAT entry does. New ones work.
   */
  silence(direction?: 'to the server' | 'to the client' | 'both'): void
  /** Whether connections from now on are accepted and never answered. Open ones go on. */
  hang(isHanging: boolean): void
  /** Resets every connection, and from now on each new one at once, or no more. */
  refuse(isRefusing: boolean): Promise<void>
  /** How many connections have been opened so far. */
  opened(): number
  close(): Promise<void>
}

interface Link {
  client: Socket
  upstream: Socket | undefined
  /** Whether the bytes of a side are thrown away. */
  isMute: { client: boolean; upstream: boolean }
}

/** Listens on a free port of 127.0.0.1 and passes every connection on to `host:port`. */
export async function cuttableProxy(host: string, port: number): Promise<CuttableProxy> {
  const links = new Set<Link>()
  let isHanging = false
  let isRefusing = false
  let opened = 0
  const server = createServer(client => {
    opened += 1
    if (isRefusing) {
      client.on('error', () => undefined)
      client.resetAndDestroy()
      return
    }
    const upstream = isHanging ? undefined : connect(port, host)
    const link: Link = { client, upstream, isMute: { client: false, upstream: false } }
    links.add(link)
    client.setNoDelay(true)
    client.on('error', () => undefined)
    if (upstream === undefined) client.on('close', () => links.delete(link))
    else join(link, upstream, () => links.delete(link))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  const socketsOf = ({ client, upstream }: Link) => (upstream ? [client, upstream] : [client])
  const cut = async () => {
    const sockets = [...links].flatMap(socketsOf).filter(socket => !socket.destroyed)
    const closed = sockets.map(socket => once(socket, 'close'))
    for (const socket of sockets) socket.resetAndDestroy()
    await Promise.all(closed)
    links.clear()
  }
  return {
    port: address.port,
    cut,
    silence(direction = 'both') {
      for (const { isMute } of links) {
        if (direction !== 'to the client') isMute.client = true
        if (direction !== 'to the server') isMute.upstream = true
      }
    },
    hang(hanging) {
      isHanging = hanging
    },
    async refuse(refusing) {
      isRefusing = refusing
      if (refusing) await cut()
    },
    opened: () => opened,
    close: async () => {
      server.close()
      await cut()
    },
  }
}

/** Passes bytes on both ways; a side that closes takes the other with it, unless it is silenced. */
function join(link: Link, upstream: Socket, onEnd: () => void): void {
  const { client, isMute } = link
  upstream.setNoDelay(true)
  upstream.on('error', () => undefined)
  client.on('data', bytes => {
    if (!isMute.client) upstream.write(bytes)
  })
  upstream.on('data', bytes => {
    if (!isMute.upstream) client.write(bytes)
  })
  const isSilenced = () => isMute.client || isMute.upstream
  const end = (other: Socket) => () => {
    if (isSilenced()) return
    onEnd()
    other.destroy()
  }
  client.on('close', end(upstream))
  upstream.on('close', end(client))
}
