// A mail server that delivers nothing: it keeps each mail as a file and shows it in the browser.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Server as TcpServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'
import { listMails, mailFolder, readMail, readRawMail, storeMail } from './mailFiles.ts'
import { contentSecurityPolicy, listPage, mailPage } from './mailPage.ts'

export interface MailCatcher {
  smtpUrl: string
  webUrl: string
  stop(): Promise<void>
}

interface Answer {
  status: number
  type: string
  body: string | Buffer
}

const host = '127.0.0.1'
const maxMailBytes = 25 * 1024 * 1024
const pageSize = 100

/**
 * Catches mails over SMTP on 127.0.0.1 and shows them on a web page there. Port 0 (the default)
 * takes any free one. A mail is on disk before its sender hears that it was accepted.
 */
export async function startMailCatcher(options: {
  directory: string
  port?: number
  webPort?: number
}): Promise<MailCatcher> {
  const folder = mailFolder(options.directory)
  const smtp = createSmtpServer(folder)
  const smtpPort = await listen(smtp.server, options.port ?? 0)
  const web = createServer((request, response) => respond(folder, request, response))
  const webPort = await listen(web, options.webPort ?? 0)
  return {
    smtpUrl: `smtp://${host}:${smtpPort}`,
    webUrl: `http://${host}:${webPort}`,
    stop: async () => {
      await Promise.all([closeSmtp(smtp), closeWeb(web)])
    },
  }
}

function createSmtpServer(folder: string): SMTPServer {
  const server = new SMTPServer({
    name: 'localhost',
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    size: maxMailBytes,
    closeTimeout: 2_000,
    onData: (stream, session, done) => {
      receive(folder, stream, session).then(() => done(), done)
    },
  })
  // A client that hangs up is no fault of the server.
  server.on('error', () => undefined)
  return server
}

async function receive(folder: string, stream: SMTPServerDataStream, session: SMTPServerSession) {
  const body = await buffer(stream)
  if (stream.sizeExceeded) {
    throw Object.assign(new Error('The mail is too large'), { responseCode: 552 })
  }
  const { mailFrom, rcptTo } = session.envelope
  const sender = mailFrom === false ? '' : mailFrom.address
  // The envelope, as a real mail server would note it: it may name others than the header does.
  const envelope = [
    `Return-Path: <${sender}>`,
    ...rcptTo.map(({ address }) => `Delivered-To: ${address}`),
  ]
  const head = envelope.map(line => `${line.replace(/[\r\n]/g, '')}\r\n`).join('')
  await storeMail(folder, Buffer.concat([Buffer.from(head), body]))
}

function respond(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const failed: Answer = { status: 500, type: 'text/plain', body: 'The mails cannot be read' }
  answer(folder, request)
    .catch(() => failed)
    .then(({ status, type, body }) => {
      response.writeHead(status, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      })
      response.end(request.method === 'HEAD' ? undefined : body)
    })
}

async function answer(folder: string, request: IncomingMessage): Promise<Answer> {
  // A web site that points its own name at this machine must not read mails through a browser.
  const name = (request.headers.host ?? '').replace(/:\d+$/, '')
  if (name !== host && name !== 'localhost') return refusal(403, 'Ask for 127.0.0.1')
  if (request.method !== 'GET' && request.method !== 'HEAD') return refusal(405, 'Only GET')
  const url = URL.parse(request.url ?? '/', `http://${host}`)
  const [room = '', id = ''] = url?.pathname.split('/').slice(1) ?? []
  const before = url?.searchParams.get('before') ?? undefined
  if (room === '') return list(folder, before)
  if (room === 'mails' && id === '') return json(await listMails(folder, { before }))
  if (room === 'mails' && id.endsWith('.eml')) return source(folder, id.slice(0, -4))
  const mail = room === 'mails' || room === 'view' ? await readMail(folder, id) : undefined
  if (mail === undefined) return refusal(404, 'There is no such mail')
  return room === 'mails' ? json(mail) : { status: 200, type: 'text/html', body: mailPage(mail) }
}

async function list(folder: string, before: string | undefined): Promise<Answer> {
  const mails = await listMails(folder, { limit: pageSize, before })
  const last = mails.length === pageSize ? mails.at(-1)?.id : undefined
  return { status: 200, type: 'text/html', body: listPage(mails, last) }
}

async function source(folder: string, id: string): Promise<Answer> {
  const body = await readRawMail(folder, id)
  return body ? { status: 200, type: 'text/plain', body } : refusal(404, 'There is no such mail')
}

function json(value: unknown): Answer {
  return { status: 200, type: 'application/json', body: JSON.stringify(value) }
}

function refusal(status: number, body: string): Answer {
  return { status, type: 'text/plain', body }
}

function listen(server: TcpServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(portOf(server.address())))
  })
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}

function closeSmtp(server: SMTPServer): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}

function closeWeb(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
