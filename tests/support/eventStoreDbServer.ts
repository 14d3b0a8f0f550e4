// A real EventStoreDB or KurrentDB for tests: the one EVENTSTORE_URL names, or one in a container.
import type { StartedTestContainer } from 'testcontainers'
import { type CuttableProxy, cuttableProxy } from './cuttableProxy.ts'

export interface RealServer {
  /** Where tests connect; through the proxy where there is one. */
  url: string
  /** Cuts the connections of this process; undefined where no proxy can stand in between. */
  cutConnections?: () => Promise<void>
  /** Where it speaks HTTP without TLS; undefined of others. */
  httpUrl?: string
  stop(): Promise<void>
}

export interface RealServerSource {
  name: string
  start(): Promise<RealServer>
}

const defaultImage = 'eventstore/eventstore:24.10.14'

/**
 * Where a real server can be had, or why there is none. EVENTSTORE_IMAGE names another image, for
 * instance docker.kurrent.io/kurrent-latest/kurrentdb.
 */
export async function realServerSource(): Promise<RealServerSource | string> {
  const url = process.env.EVENTSTORE_URL
  if (url) return { name: 'the server at EVENTSTORE_URL', start: () => behindProxy(url) }
  const { getContainerRuntimeClient } = await import('testcontainers')
  const engine = await getContainerRuntimeClient().catch(() => undefined)
  if (engine === undefined) return 'EVENTSTORE_URL is not set and no container engine answers'
  const image = process.env.EVENTSTORE_IMAGE ?? defaultImage
  return { name: image, start: () => inContainer(image) }
}

/** Only a single node without TLS can stand behind a proxy: the others check or give out names. */
async function behindProxy(url: string, stop = async () => {}): Promise<RealServer> {
  const single = /^(esdb:\/\/(?:[^@/]+@)?)([^:/,?]+)(?::(\d+))?(\/?\?.*)$/.exec(url)
  const [, scheme = '', host = '', port = '2113', query = ''] = single ?? []
  if (!/[?&]tls=false/i.test(query)) return { url, stop }
  const proxy: CuttableProxy = await cuttableProxy(host, Number(port))
  return {
    url: `${scheme}127.0.0.1:${proxy.port}${query}`,
    cutConnections: proxy.cut,
    httpUrl: `http://${host}:${port}`,
    stop: async () => {
      await proxy.close()
      await stop()
    },
  }
}

async function inContainer(image: string): Promise<RealServer> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const prefix = image.includes('kurrent') ? 'KURRENTDB' : 'EVENTSTORE'
  const container: StartedTestContainer = await new GenericContainer(image)
    .withEnvironment({
      [`${prefix}_INSECURE`]: 'true',
      [`${prefix}_MEM_DB`]: 'true',
      [`${prefix}_RUN_PROJECTIONS`]: 'None',
    })
    .withExposedPorts(2113)
    .withWaitStrategy(Wait.forHttp('/health/live', 2113).forStatusCode(204))
    .withStartupTimeout(180_000)
    .start()
  const url = `esdb://${container.getHost()}:${container.getMappedPort(2113)}?tls=false`
  return behindProxy(url, async () => {
    await container.stop()
  })
}
