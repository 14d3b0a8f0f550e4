// Another API process of a test shop: the same log, database, Redis and secrets, caches of its own.

import { freePort } from '../../src/infra/system/tcpPorts.ts'
import { startApp } from '../../src/main/start.ts'
import { type Client, createClient } from './apiClient.ts'
import type { Person, TestApp } from './testApp.ts'

export interface SecondNode {
  url: string
  anyone: Client
  /** The same person, who talks to this node. */
  as(person: Pick<Person, 'access'>): Client
  close(): Promise<void>
}

/** Starts an API without workers beside a running test shop. */
export async function startSecondNode({ config, contract }: TestApp): Promise<SecondNode> {
  const port = await freePort()
  const app = await startApp({ ...config, port }, { api: true, workers: false })
  return {
    url: app.url,
    anyone: createClient(app.url, contract),
    as: ({ access }) => createClient(app.url, contract, access),
    close: app.close,
  }
}
