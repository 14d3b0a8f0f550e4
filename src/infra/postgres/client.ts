// What the driver's client lacks: its socket, and COPY over a pipelined connection.
import { Socket } from 'node:net'
import pg from 'pg'

declare module 'pg' {
  /** As pg-copy-streams uses it. */
  interface Connection {
    sendCopyFromChunk(chunk: Buffer): void
    endCopyFrom(): void
  }
}

/** A client that knows its socket, which is asked for the bytes received and can be cut. */
export class SocketClient extends pg.Client {
  readonly socket: Socket

  constructor(config: pg.ClientConfig = {}) {
    const socket = new Socket()
    super({ ...config, stream: () => socket })
    this.socket = socket
  }
}

export type PooledClient = SocketClient & pg.PoolClient

/** A COPY whose rows follow it at once; where the statement fails the server skips them. */
export class CopyIn extends pg.Query {
  constructor(
    text: string,
    lines: string,
    callback: (error: Error | undefined, result: pg.QueryResult) => void,
  ) {
    super(text, callback)
    this.submit = connection => {
      connection.query(text)
      connection.sendCopyFromChunk(Buffer.from(lines))
      connection.endCopyFrom()
    }
  }

  /** The rows are on their way already. */
  handleCopyInResponse(): void {}
}
