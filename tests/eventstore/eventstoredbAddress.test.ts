// Addresses of event stores: every form that the documentation shows works, the rest is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEventStoreAddress } from '../../src/config/eventstoredbAddress.ts'
import { createClient } from '../../src/eventstore/eventstoredb/client.ts'
import { connect, eventStoreProblem } from '../../src/eventstore/eventstoredb/connect.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'

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
    expect(await eventStoreProblem(url())).toBeUndefined()
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
    const problem = await eventStoreProblem(url())
    expect(problem).toMatch(/^EVENTSTORE_URL: [^\n]*$/)
    expect(problem).toContain(says)
    expect(problem).not.toContain('hunter2')
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
