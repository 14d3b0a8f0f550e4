// A TCP proxy on the loopback whose connections a test can cut, silence or leave unanswered, to
// stand before any server.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

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
  /** From now on every byte comes so many milliseconds late, in each direction. */
  delay(ms: number): void
  /** Resets every connection, and from now on each new one at once, or no more. */
  refuse(isRefusing: boolean): Promise<void>
  /** How many connections have been opened so far. */
  opened(): number
  close(): Promise<void>
}

/** Sockets are closed by then. */
const closeMs = 2_000

interface Link {
  client: Socket
  upstream: Socket | undefined
  /** Whether the bytes of a side are thrown away. */
  isMute: { client: boolean; upstream: boolean }
  /** How late bytes are, in milliseconds. */
  lateMs(): number
}

/** Listens on a free port of 127.0.0.1 and passes every connection on to `host:port`. */
export async function cuttableProxy(host: string, port: number): Promise<CuttableProxy> {
  const links = new Set<Link>()
  let isHanging = false
  let isRefusing = false
  let opened = 0
  let delayMs = 0
  const server = createServer(client => {
    opened += 1
    if (isRefusing) return reset(client.on('error', () => undefined))
    const upstream = isHanging ? undefined : connect(port, host)
    const isMute = { client: false, upstream: false }
    const link: Link = { client, upstream, isMute, lateMs: () => delayMs }
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
    // An error on the way is no reason not to wait for the end, which may never be told.
    const closed = sockets.map(socket => new Promise(resolve => socket.once('close', resolve)))
    for (const socket of sockets) reset(socket)
    await Promise.race([Promise.all(closed), pause(closeMs)])
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
    delay(ms) {
      delayMs = ms
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

/** A socket whose other side has ended already cannot be reset any more. */
function reset(socket: Socket): void {
  try {
    // One that is not there yet would be reset once it is.
    if (socket.connecting) socket.destroy()
    else socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}

/** Passes bytes on both ways; a side that closes takes the other with it, unless it is silenced. */
function join(link: Link, upstream: Socket, onEnd: () => void): void {
  const { client, isMute, lateMs } = link
  upstream.setNoDelay(true)
  upstream.on('error', () => undefined)
  const toServer = inOrder(bytes => isMute.client || upstream.write(bytes), lateMs)
  const toClient = inOrder(bytes => isMute.upstream || client.write(bytes), lateMs)
  client.on('data', toServer)
  upstream.on('data', toClient)
  const isSilenced = () => isMute.client || isMute.upstream
  const end = (other: Socket) => () => {
    if (isSilenced()) return
    onEnd()
    other.destroy()
  }
  client.on('close', end(upstream))
  upstream.on('close', end(client))
}

/** Passes on at once, or late; what comes later never overtakes. */
function inOrder(pass: (bytes: Buffer) => unknown, lateMs: () => number) {
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  return (bytes: Buffer) => {
    const ms = lateMs()
    if (ms === 0 && waiting === 0) {
      pass(bytes)
      return
    }
    const due = pause(ms)
    waiting += 1
    last = last
      .then(() => due)
      .then(() => {
        waiting -= 1
        pass(bytes)
      })
  }
}
