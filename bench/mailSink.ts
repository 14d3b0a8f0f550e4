// A mail server that takes every mail and keeps none: in production it is another machine, so that
// what it does with them is no part of what is measured.
import { once } from 'node:events'
import { SMTPServer } from 'smtp-server'

export interface MailSink {
  smtpUrl: string
  stop(): Promise<void>
}

/** Starts one on 127.0.0.1. */
export async function startMailSink(): Promise<MailSink> {
  const server = new SMTPServer({
    name: 'localhost',
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    onData(stream, _session, done) {
      stream.on('end', () => done()).resume()
    },
  })
  // A client that hangs up is no fault of the server.
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const address = server.server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    smtpUrl: `smtp://127.0.0.1:${port}`,
    stop: () => new Promise(resolve => server.close(() => resolve())),
  }
}
