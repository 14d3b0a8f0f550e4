// A part of the test Redis for one test: a logical database of its own, empty at first.
import { Redis } from 'ioredis'
import { inject } from 'vitest'

const databases = 16

export interface TestRedis {
  /** Keys are its own. Publish/subscribe channels are shared by all databases of a server. */
  url: string
  /** Empties it and gives it back. */
  release(): Promise<void>
}

/** Takes a free logical database (1 to 15) until `release()`. Throws when all are taken. */
export async function testRedis(): Promise<TestRedis> {
  const server = inject('redisUrl')
  const registry = new Redis(server)
  try {
    for (let index = 1; index < databases; index += 1) {
      const lock = `test-database:${index}`
      if ((await registry.set(lock, process.pid, 'NX')) !== 'OK') continue
      await flush(server, index)
      return { url: withDatabase(server, index), release: () => giveBack(server, index) }
    }
  } finally {
    registry.disconnect()
  }
  throw new Error('All logical databases of the test Redis are taken: release() them after use')
}

async function giveBack(server: string, index: number): Promise<void> {
  await flush(server, index)
  const registry = new Redis(server)
  await registry.del(`test-database:${index}`)
  registry.disconnect()
}

async function flush(server: string, index: number): Promise<void> {
  const client = new Redis(withDatabase(server, index))
  await client.flushdb()
  client.disconnect()
}

function withDatabase(server: string, index: number): string {
  const url = new URL(server)
  url.pathname = `/${index}`
  return url.href
}
