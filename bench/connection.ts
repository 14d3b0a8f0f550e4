// One keep-alive connection that has one request under way: HTTP/1.1 and nothing more, so that the
// load generator takes as little as it can of the cores it shares with what is measured.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answered {
  status: number
  body: Buffer
}

export interface Connection {
  /** Sends a whole request and gives its answer. Throws when the connection ends before. */
  send(request: Buffer | string): Promise<Answered>
  close(): void
}

interface Waiting {
  resolve(answer: Answered): void
  reject(error: Error): void
}

const headEnd = Buffer.from('\r\n\r\n')

/** Opens a connection to where `url` points. */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  return serve(socket)
}

function serve(socket: Socket): Connection {
  let waiting: Waiting | undefined
  let received = Buffer.alloc(0)
  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = undefined
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server has closed a connection')))
  socket.on('data', chunk => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const answer = parse(received)
    if (answer instanceof Error) return fail(answer)
    if (answer === undefined) return
    received = Buffer.alloc(0)
    waiting?.resolve(answer)
  })
  return {
    send: request =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}

/** A whole answer; undefined while there is more to come. */
export function parse(received: Buffer): Answered | Error | undefined {
  const end = received.indexOf(headEnd)
  if (end < 0) return undefined
  const head = received.toString('latin1', 0, end)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const hasBody = status !== 204 && status !== 304
  if (hasBody && length === undefined) return new Error('an answer does not say how long it is')
  const start = end + headEnd.length
  const stop = start + (hasBody ? Number(length) : 0)
  if (received.length < stop) return undefined
  return { status, body: received.subarray(start, stop) }
}
