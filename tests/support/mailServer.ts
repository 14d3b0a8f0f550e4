// A mail server that a test tells what to answer, and that remembers what it took.
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export interface Taken {
  to: string
  messageId: string
  /** The whole mail, as it came. */
  raw: string
}

export interface MailServerRules {
  /** A status of SMTP with which to refuse this recipient; undefined takes it. */
  refuse?(address: string): number | undefined
  /** The same once the mail is there. */
  refuseText?(address: string): number | undefined
  /** Resolves when the server answers about a mail that it has. */
  hold?(taken: Taken): Promise<void>
}

export interface ScriptedMailServer {
  url: string
  port: number
  taken: Taken[]
  /** Recipients that were asked for, refused or not. */
  asked: string[]
  stop(): Promise<void>
}

/** Listens on 127.0.0.1; port 0 takes any free one. */
export async function scriptedMailServer(
  rules: MailServerRules = {},
  port = 0,
): Promise<ScriptedMailServer> {
  const taken: Taken[] = []
  const asked: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onRcptTo({ address }, _, done) {
      asked.push(address)
      const status = rules.refuse?.(address)
      done(status === undefined ? null : refusal(status, address))
    },
    onData(stream, { envelope }, done) {
      const receive = async () => {
        const raw = String(await buffer(stream))
        const to = envelope.rcptTo[0]?.address ?? ''
        const mail = { to, raw, messageId: /^Message-ID:\s+<(.*)>/im.exec(raw)?.[1] ?? '' }
        const status = rules.refuseText?.(to)
        if (status !== undefined) throw refusal(status, to)
        taken.push(mail)
        await rules.hold?.(mail)
      }
      receive().then(() => done(), done)
    },
  })
  server.on('error', () => undefined)
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const { port: listening } = address
  return {
    url: `smtp://127.0.0.1:${listening}`,
    port: listening,
    taken,
    asked,
    stop: () => new Promise(resolve => server.close(() => resolve())),
  }
}

/** As servers do, it quotes the address. */
function refusal(responseCode: number, address: string): Error {
  const enhanced = responseCode >= 500 ? '5.1.1' : '4.2.0'
  return Object.assign(new Error(`${enhanced} <${address}> is not taken`), { responseCode })
}
