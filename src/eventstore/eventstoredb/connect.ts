// Makes a client for an address of EventStoreDB, and says in one line why a server cannot be used.
import { randomUUID, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  isCommandError,
  type StreamingRead,
  StreamNotFoundError,
} from '@eventstore/db-client'
import {
  AddressFault,
  type EventStoreAddress,
  readEventStoreAddress,
} from '../../config/eventstoredbAddress.ts'
import { eachWithin, Overdue, withDeadline } from '../../kit/deadline.ts'
import { firstOf } from '../../kit/firstOf.ts'
import { optional } from '../../kit/optional.ts'

type Settings = Pick<EventStoreAddress, 'hosts' | 'isCluster'>

const probeMs = 5_000
/** What is too late to say anything about the server. */
const disposeMs = 500

/** The client for an address; it connects on first use. Throws AddressFault. */
export function connect(url: string): EventStoreDBClient {
  const address = readEventStoreAddress(url)
  return clientFor(address, address)
}

/** Ends a client. It waits for its calls to end and has been seen to wait for ever. */
export async function disposeOf(client: EventStoreDBClient, ms: number): Promise<void> {
  await withDeadline(ms, 'closing the connection', client.dispose()).catch(() => undefined)
}

function clientFor(address: EventStoreAddress, { hosts, isCluster }: Settings): EventStoreDBClient {
  const { flags, texts, numbers } = address
  const settings = { ...numbers, ...optional('connectionName', texts.connectionName) }
  const tls = flags.tls === false ? { insecure: true as const } : tlsOf(address)
  const [first] = hosts
  if (first === undefined) throw new AddressFault('a host is missing')
  return isCluster
    ? new EventStoreDBClient({ ...settings, endpoints: [...hosts] }, tls, address.credentials)
    : new EventStoreDBClient({ ...settings, endpoint: first }, tls, address.credentials)
}

/** Certificates, looked at before use: the client says of none of them which one it cannot read. */
function tlsOf({ flags, texts }: EventStoreAddress) {
  const ca = read('tlsCaFile', texts.tlsCaFile)
  const cert = read('userCertFile', texts.userCertFile)
  const key = read('userKeyFile', texts.userKeyFile)
  if (ca !== undefined && !holdsCertificates(ca)) {
    throw new AddressFault('tlsCaFile names a file that holds no certificate in PEM')
  }
  if (cert !== undefined && key !== undefined && !isPair(cert, key)) {
    const pair = 'userCertFile and userKeyFile'
    throw new AddressFault(`${pair} are not a certificate and its key in PEM, without a password`)
  }
  return {
    insecure: false as const,
    ...optional('rootCertificate', ca),
    ...optional('userCertFile', cert),
    ...optional('userKeyFile', key),
    ...(flags.tlsVerifyCert === false ? { verifyOptions: { rejectUnauthorized: false } } : {}),
  }
}

const pem = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END \1?CERTIFICATE-----/g

function holdsCertificates(file: Buffer): boolean {
  const blocks = file.toString('latin1').match(pem) ?? []
  try {
    return blocks.map(block => new X509Certificate(block)).length > 0
  } catch {
    return false
  }
}

function isPair(cert: Buffer, key: Buffer): boolean {
  if (!holdsCertificates(cert)) return false
  try {
    createSecureContext({ cert, key })
    return true
  } catch {
    return false
  }
}

function read(option: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new AddressFault(`${option} names a file that cannot be read (${code})`)
  }
}

/** An address, and the names of the streams that are to be read and written there. */
export interface ProbedServer {
  url: string
  prefix?: string
  streamPrefixes?: readonly string[]
}

/**
 * Why the servers of an address cannot be used, as one line without a secret: each of them is asked
 * by itself. Undefined as soon as one of them answers.
 */
export async function eventStoreProblem({
  url,
  ...names
}: ProbedServer): Promise<string | undefined> {
  try {
    const address = readEventStoreAddress(url)
    const clients = address.hosts.map(host => ({
      host,
      client: clientFor(address, { hosts: [host], isCluster: false }),
    }))
    const asked = clients.map(async ({ host, client }) => {
      const problem = await probe(client, address, names)
      if (problem === undefined) return undefined
      throw new Error(`${host.address}:${host.port} ${problem}`)
    })
    return await Promise.any(asked)
  } catch (error) {
    if (error instanceof AddressFault) return `EVENTSTORE_URL: ${error.message}`
    if (!(error instanceof AggregateError)) throw error
    const problems = error.errors.map(each => (each instanceof Error ? each.message : String(each)))
    return `EVENTSTORE_URL: ${problems.join('; ')}`
  }
}

/** Reads of the log and of a stream of the shop that need not be there: each has its own rights. */
async function probe(
  client: EventStoreDBClient,
  address: EventStoreAddress,
  { prefix = '', streamPrefixes = [''] }: Omit<ProbedServer, 'url'>,
): Promise<string | undefined> {
  const options = { direction: BACKWARDS, maxCount: 1, deadline: probeMs } as const
  const name = `${prefix}${streamPrefixes[0] ?? ''}${randomUUID()}`
  try {
    await answers(() => client.readAll({ ...options, fromPosition: END }))
    await answers(() => client.readStream(name, { ...options, fromRevision: END }))
    return undefined
  } catch (error) {
    return problemOf(error, address)
  } finally {
    await disposeOf(client, disposeMs)
  }
}

/**
 * Waits for the first answer to a read. The client begins to count its deadline once it has a
 * connection, which a server that is silent never gives it.
 */
async function answers(open: () => StreamingRead<unknown>): Promise<void> {
  const events = open()
  events.on('error', () => undefined)
  try {
    await firstOf(eachWithin(probeMs, 'asking the server', events))
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error
  }
}

/** Statuses of gRPC whose reason is not in their text. */
const statuses: ReadonlyMap<unknown, string> = new Map([
  [1, 'does not answer in time'],
  [4, 'does not answer in time'],
])

/** What the text of a failed connection shows, and what is to be done. */
const reasons: readonly (readonly [text: RegExp, problem: string])[] = [
  [/ECONNREFUSED/, 'does not answer (connection refused)'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution/i, 'is a host that is not known'],
  [/certificate has expired|CERT_HAS_EXPIRED/i, 'has a certificate that has expired'],
  [
    /not yet valid|CERT_NOT_YET_VALID/i,
    'has a certificate that is not valid yet: compare the clocks of both machines',
  ],
  [
    /altnames|ERR_TLS_CERT_ALTNAME/i,
    'has a certificate for another host: use the name that is in it',
  ],
  [
    /certificate|SELF_SIGNED|UNABLE_TO/i,
    'has a certificate that is not trusted: name the file of its authority (tlsCaFile=…)',
  ],
  [/wrong version number|EPROTO|packet length/i, 'does not speak TLS: add tls=false'],
]

function problemOf(error: unknown, { credentials, flags }: EventStoreAddress): string {
  if (error instanceof Overdue) return 'does not answer in time'
  const text = error instanceof Error ? error.message : ''
  const status: unknown = error instanceof Error && isCommandError(error) ? error.code : undefined
  if (status === 16) {
    if (credentials === undefined) return 'wants a name and a password (esdb://name:password@…)'
    return 'refuses the name or the password'
  }
  if (status === 7) {
    const wanted = 'a user who may read $all and write the streams of the shop'
    return credentials === undefined ? `wants ${wanted}` : `refuses the user: it wants ${wanted}`
  }
  const [, reason] = reasons.find(([pattern]) => pattern.test(text)) ?? []
  if (reason !== undefined) return reason
  // A server with TLS just hangs up on who comes without it.
  if (status === 14 && flags.tls === false) return 'hangs up: it may want TLS (leave tls=false out)'
  return statuses.get(status) ?? `cannot be used (${String(status ?? 'no reason given')})`
}
