// Makes a client for an address of EventStoreDB, and says in one line why a server cannot be used.
import { readFileSync } from 'node:fs'
import { BACKWARDS, END, EventStoreDBClient, isCommandError } from '@eventstore/db-client'
import {
  AddressFault,
  type EventStoreAddress,
  readEventStoreAddress,
} from '../../config/eventstoredbAddress.ts'
import { withDeadline } from '../../kit/deadline.ts'
import { optional } from '../../kit/optional.ts'

type ClientArguments = ConstructorParameters<typeof EventStoreDBClient>
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
  const tls: ClientArguments[1] =
    flags.tls === false
      ? { insecure: true }
      : {
          insecure: false,
          ...optional('rootCertificate', read('tlsCaFile', texts.tlsCaFile)),
          ...optional('userCertFile', read('userCertFile', texts.userCertFile)),
          ...optional('userKeyFile', read('userKeyFile', texts.userKeyFile)),
          ...(flags.tlsVerifyCert === false
            ? { verifyOptions: { rejectUnauthorized: false } }
            : {}),
        }
  const [first] = hosts
  if (first === undefined) throw new AddressFault('a host is missing')
  return isCluster
    ? new EventStoreDBClient({ ...settings, endpoints: [...hosts] }, tls, address.credentials)
    : new EventStoreDBClient({ ...settings, endpoint: first }, tls, address.credentials)
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

/**
 * Why the servers of an address cannot be used, as one line without a secret: each of them is asked
 * by itself. Undefined where one of them answers.
 */
export async function eventStoreProblem(url: string): Promise<string | undefined> {
  try {
    const address = readEventStoreAddress(url)
    const found = await Promise.all(
      address.hosts.map(async host => {
        const problem = await probe(
          clientFor(address, { hosts: [host], isCluster: false }),
          address,
        )
        return problem === undefined ? undefined : `${host.address}:${host.port} ${problem}`
      }),
    )
    const problems = found.filter(problem => problem !== undefined)
    if (problems.length < found.length) return undefined
    return `EVENTSTORE_URL: ${problems.join('; ')}`
  } catch (error) {
    if (error instanceof AddressFault) return `EVENTSTORE_URL: ${error.message}`
    throw error
  }
}

async function probe(
  client: EventStoreDBClient,
  address: EventStoreAddress,
): Promise<string | undefined> {
  const options = { direction: BACKWARDS, fromPosition: END, maxCount: 1 } as const
  const events = client.readAll({ ...options, deadline: probeMs })
  events.on('error', () => undefined)
  try {
    for await (const _ of events) break
    return undefined
  } catch (error) {
    return problemOf(error, address)
  } finally {
    await disposeOf(client, disposeMs)
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
