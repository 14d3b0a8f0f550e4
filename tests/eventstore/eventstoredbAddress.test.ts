// Addresses of event stores: every form that the documentation shows works, the rest is refused.
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readEventStoreAddress } from '../../src/config/eventstoredbAddress.ts'
import { createClient } from '../../src/eventstore/eventstoredb/client.ts'
import { connect, eventStoreProblem } from '../../src/eventstore/eventstoredb/connect.ts'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { openEventStoreDb } from '../../src/main/openEventStore.ts'
import { readStream, Unavailable } from '../../src/ports/eventStore.ts'
import { unobserved } from '../../src/ports/tracing.ts'
import { certificate } from '../support/certificates.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { temporaryDirectory } from '../support/servers.ts'

const node = (port: number, address = 'a') => ({ address, port })

describe('an address of an event store', () => {
  it.each([
    ['esdb://a', { hosts: [node(2113)], isCluster: false }],
    ['kurrentdb://a:1234', { hosts: [node(1234)], isCluster: false }],
    ['kurrent://a', { hosts: [node(2113)] }],
    ['kdb://a', { hosts: [node(2113)] }],
    ['ESDB://a/', { hosts: [node(2113)] }],
    ['esdb://[::1]:2114', { hosts: [node(2114, '[::1]')] }],
    ['esdb://a:2113,b:2114,c?tls=true', { isCluster: true, flags: { tls: true } }],
    ['esdb+discover://cluster.example.com', { isCluster: true }],
    ['kurrentdb+discover://cluster.example.com:2113', { isCluster: true }],
    ['esdb://admin:changeit@a', { credentials: { username: 'admin', password: 'changeit' } }],
    [
      'esdb://us%3Aer:p%40ss%2Fword@a',
      { credentials: { username: 'us:er', password: 'p@ss/word' } },
    ],
    ['esdb://a/?TLS=false&tls_verify_cert=False', { flags: { tls: false, tlsVerifyCert: false } }],
    ['esdb://a?tlsCaFile=.%2Fca.crt&connectionName=x', { texts: { tlsCaFile: './ca.crt' } }],
    ['esdb://a?keepAliveInterval=-1&gossipTimeout=5', { numbers: { keepAliveInterval: -1 } }],
    ['esdb://a?nodePreference=leader', { hosts: [node(2113)] }],
  ])('can be %s', (url, read) => {
    expect(readEventStoreAddress(url)).toMatchObject(read)
  })

  it.each([
    ['http://a:2113', 'it begins with neither esdb:// nor kurrentdb://'],
    ['esdb+srv://a', 'it begins with neither esdb:// nor kurrentdb://'],
    ['esdb://', 'a host is missing or no host'],
    ['esdb://a,,b', 'a host is missing or no host'],
    ['esdb://a:b', 'a host is missing or no host'],
    ['esdb://a:65536', '65536 is no port'],
    ['esdb://a/streams', 'behind the hosts comes ? and nothing else'],
    ['esdb://hunter2@a', 'name and password are name:password@'],
    ['esdb://u:p:hunter2@a', 'name and password are name:password@'],
    ['esdb://u:%zz@a', 'name and password are name:password@'],
    ['esdb://a?tls=no', 'tls is true or false'],
    ['esdb://a?tls=true&TLS=false', 'tls is there twice'],
    ['esdb://a?defaultDeadline=soon', 'defaultDeadline is a whole number, 1 at least'],
    ['esdb://a?tlsCaFile=', 'tlsCaFile has no value'],
    ['esdb://a?userCertFile=x.crt', 'userCertFile and userKeyFile belong together'],
    ['esdb://a?nodePreference=follower', 'nodePreference can only be leader'],
    ['esdb://a?colour=red', 'it has no option colour'],
    ['esdb://a?connectionName=%C3%BC', 'connectionName is plain ASCII'],
    ['esdb://a?connectionName=x%0D%0Ay', 'connectionName is plain ASCII'],
    ['esdb://a?connection-name=%00', 'connectionName is plain ASCII'],
    ['esdb://a?connectionName=%7F', 'connectionName is plain ASCII'],
    ['esdb://a?tlsCaFile=%00', 'tlsCaFile is no path of a file'],
    ['esdb://a?tlsCaFile=%FF', 'tlsCaFile has no value'],
  ])('is refused as %s', (url, says) => {
    expect(() => readEventStoreAddress(url)).toThrow(says)
    expect(() => readEventStoreAddress(url)).not.toThrow('hunter2')
  })
})

describe('a client', () => {
  let stub: EventStoreDbStub
  let port: number
  beforeAll(async () => {
    stub = await eventStoreDbStub()
    port = Number(/:(\d+)/.exec(stub.url)?.[1])
  })
  afterAll(() => stub.close())

  it.each([
    ['one node', () => `esdb://127.0.0.1:${port}?tls=false`],
    ['another scheme', () => `kurrentdb://localhost:${port}/?tls=false`],
    ['name and password', () => `esdb://admin:changeit@127.0.0.1:${port}?tls=false`],
    ['nodes of which one answers', () => `esdb://127.0.0.1:1,127.0.0.1:${port}?tls=false`],
    ['a name for all nodes', () => `kurrentdb+discover://localhost:${port}?tls=false`],
    ['options', () => `esdb://127.0.0.1:${port}?tls=false&defaultDeadline=9000&connectionName=x`],
  ])('reaches its server by %s', async (_, url) => {
    expect(await eventStoreProblem({ url: url() })).toBeUndefined()
    const client = connect(url())
    const count = [await client.setStreamMetadata(`any-${port}`, { owner: 'test' })]
    expect(count[0]).toMatchObject({ success: true })
    await client.dispose()
  })

  it.each([
    [
      () => `esdb://u:hunter2@127.0.0.1:1?tls=false`,
      '127.0.0.1:1 does not answer (connection refused)',
    ],
    [
      () => 'esdb://no.such.host.invalid?tls=false',
      'no.such.host.invalid:2113 is a host that is not known',
    ],
    [() => `esdb://127.0.0.1:${port}`, 'does not speak TLS: add tls=false'],
    [
      () => `esdb://127.0.0.1:${port}?tlsCaFile=/no/such/file`,
      'tlsCaFile names a file that cannot be read (ENOENT)',
    ],
    [() => 'esdb://127.0.0.1:1,127.0.0.1:2?tls=false', '127.0.0.1:2 does not answer'],
  ])('says in one line why it cannot', async (url, says) => {
    const problem = await eventStoreProblem({ url: url() })
    expect(problem).toMatch(/^EVENTSTORE_URL: [^\n]*$/)
    expect(problem).toContain(says)
    expect(problem).not.toContain('hunter2')
  })
})

interface Listening {
  listen(port: number, host: string, done: () => void): unknown
  close(): unknown
  address(): unknown
}

/** The port of a server that is closed when the test is over. */
async function portOf(server: Listening): Promise<number> {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('it does not listen')
  return Number(Reflect.get(bound, 'port'))
}

describe('a start', () => {
  it('does not wait for a server that accepts connections and is silent', async () => {
    const stub = await eventStoreDbStub()
    onTestFinished(stub.close)
    const silent = await portOf(createServer(socket => void socket.on('error', () => undefined)))
    const url = `esdb://127.0.0.1:${silent}?tls=false`
    const says = `EVENTSTORE_URL: 127.0.0.1:${silent} does not answer in time`
    expect(await eventStoreProblem({ url })).toBe(says)
    const [, node = ''] = /\/\/([^?]+)/.exec(stub.url) ?? []
    const cluster = `esdb://127.0.0.1:${silent},${node},127.0.0.1:1?tls=false`
    expect(await eventStoreProblem({ url: cluster })).toBeUndefined()
  })

  it('names the cause where no node of a cluster leads', async () => {
    const stub = await eventStoreDbStub()
    onTestFinished(stub.close)
    stub.faults.hasNoLeader = true
    const opening = openEventStoreDb({ streamPrefix: '' }, stub.clusterUrl, {
      ...{ observing: unobserved, confirm: async () => undefined },
      timeoutMs: 500,
    })
    const says = 'no leader answers; of a cluster of three, two nodes have to run'
    await expect(opening).rejects.toThrow(`EVENTSTORE_URL: ${says}`)
  })

  it('is refused to a user who may read $all, but not the streams of the shop', async () => {
    const stub = await eventStoreDbStub()
    onTestFinished(stub.close)
    stub.faults.deniesStreams = true
    const problem = await eventStoreProblem({ url: stub.url, streamPrefixes: ['order-'] })
    expect(problem).toMatch(/^EVENTSTORE_URL: .* wants a user who may read \$all and write/)
  })
})

describe('a user who loses its rights', () => {
  it('is told as unavailability, at once', async () => {
    const stub = await eventStoreDbStub()
    onTestFinished(stub.close)
    const store = eventStoreDb({ url: stub.url, timeoutMs: 60_000 })
    onTestFinished(() => store.close())
    const event = { id: crypto.randomUUID(), type: 'ThingHappened', data: {}, metadata: {} }
    await store.append('order-1', 'no-stream', [event])
    stub.faults.deniesStreams = true
    const readAll = async () => {
      for await (const _ of readStream(store, 'order-1')) break
    }
    const denied = () => new statusPb.Status().setCode(7)
    const calls = [
      () => store.read([{ stream: 'order-1', after: -1 }]),
      () => store.streamHeads(['order-1']),
      () => store.append('order-1', 'any', [{ ...event, id: crypto.randomUUID() }]),
      () => store.append('order-1', 0, [{ ...event, id: crypto.randomUUID() }]),
      readAll,
    ]
    stub.faults.refusal = denied
    for (const call of calls) {
      const outcome = await call().catch((error: unknown) => error)
      expect(outcome).toBeInstanceOf(Unavailable)
      expect(outcome).toMatchObject({ message: 'EventStoreDB refuses the user' })
    }
    stub.faults.deniesStreams = false
    expect((await store.read([{ stream: 'order-1', after: -1 }]))[0]?.events).toHaveLength(1)
  })
})

describe('certificates', () => {
  const day = 24 * 60 * 60 * 1_000
  const inDays = (days: number) => new Date(Date.now() + days * day)
  const [good, other] = [0, 1].map(() => certificate(inDays(-1), inDays(1)))
  const files = {
    'good.crt': good?.cert,
    'good.key': good?.key,
    'locked.key': good?.keyWithPassword,
    'other.key': other?.key,
    'text.txt': 'no certificate',
  }
  let directory: string
  beforeAll(async () => {
    directory = await temporaryDirectory()
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(directory, name), content ?? '')
    }
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  const pair =
    'userCertFile and userKeyFile are not a certificate and its key in PEM, without a password'
  it.each([
    ['a key of another certificate', 'good.crt', 'other.key'],
    ['a key with a password', 'good.crt', 'locked.key'],
    ['a key that is none', 'good.crt', 'text.txt'],
    ['a certificate that is none', 'text.txt', 'good.key'],
    ['both in the place of the other', 'good.key', 'good.crt'],
  ])('of the user are refused with %s', async (_, cert, key) => {
    const named = `userCertFile=${directory}/${cert}&userKeyFile=${directory}/${key}`
    const problem = await eventStoreProblem({ url: `esdb://127.0.0.1:1?${named}` })
    expect(problem).toBe(`EVENTSTORE_URL: ${pair}`)
  })

  it('of the user are taken where they fit', async () => {
    const named = `userCertFile=${directory}/good.crt&userKeyFile=${directory}/good.key`
    const problem = await eventStoreProblem({ url: `esdb://127.0.0.1:1?${named}` })
    expect(problem).toContain('connection refused')
  })

  it.each(['text.txt', 'good.key'])('of an authority are not %s', async name => {
    const url = `esdb://127.0.0.1:1?tlsCaFile=${directory}/${name}`
    expect(await eventStoreProblem({ url })).toContain('tlsCaFile names a file that holds no cert')
  })

  it.each([
    [-9, -8, 'has a certificate that has expired'],
    [8, 9, 'has a certificate that is not valid yet: compare the clocks'],
    [20 * 365, 30 * 365, 'has a certificate that is not valid yet: compare the clocks'],
  ])('of a server that are valid from day %s to day %s', async (from, to, says) => {
    const { cert, key } = certificate(inDays(from), inDays(to))
    const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, socket => {
      socket.on('error', () => undefined)
    })
    server.on('tlsClientError', () => undefined)
    const port = await portOf(server)
    await writeFile(join(directory, 'ca.crt'), cert)
    const url = `esdb://127.0.0.1:${port}?tlsCaFile=${directory}/ca.crt`
    expect(await eventStoreProblem({ url })).toContain(`127.0.0.1:${port} ${says}`)
  })
})

describe('a node that follows', () => {
  it('is never asked: each call says that the leader has to answer it', async () => {
    const client = createClient('esdb://127.0.0.1:1?tls=false')
    const callArguments: unknown = Reflect.get(client, 'callArguments')
    if (typeof callArguments !== 'function') throw new Error('the client has changed')
    const [metadata] = callArguments({ deadline: 1_000 }, { deadline: 1_000 })
    expect(metadata.get('requires-leader')).toEqual(['true'])
    await client.dispose()
  })
})
