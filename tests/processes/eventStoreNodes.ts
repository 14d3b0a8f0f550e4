// A real EventStoreDB or KurrentDB under the processes, where one is given: EVENTSTORE_URL, the
// nodes in EVENTSTORE_NODES (127.0.0.1:2113,…), and commands for the one that is in $NODE:
// EVENTSTORE_KILL, EVENTSTORE_START, EVENTSTORE_FREEZE, EVENTSTORE_THAW.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { connect } from '../../src/eventstore/eventstoredb/connect.ts'
import { waitFor } from '../support/waitFor.ts'
import type { Nemesis } from './nemeses.ts'

/** What is read past the shop of one event. */
export interface StoredEvent {
  position: number
  stream: string
  revision: number
  id: string
  type: string
  data: unknown
  metadata: unknown
  recordedAt: Date
}

const { EVENTSTORE_URL: url, EVENTSTORE_NODES: list = '' } = process.env
const nodes = list.split(',').filter(node => node !== '')
const run = promisify(execFile)
const commandMs = 60_000
/** Streams of this run alone, on a server that has had others. */
const streamPrefix = `run-${randomBytes(4).toString('hex')}.`

/** Settings by which the processes use it; none where the log is in PostgreSQL. */
export const storeSettings: Record<string, string> =
  url === undefined ? {} : { EVENTSTORE_URL: url, EVENTSTORE_STREAM_PREFIX: streamPrefix }

/** The log of this run, read with the client alone; undefined where it is in PostgreSQL. */
export async function readStore(): Promise<StoredEvent[] | undefined> {
  if (url === undefined) return undefined
  const client = connect(url)
  const found: StoredEvent[] = []
  try {
    for await (const { event } of client.readAll()) {
      if (event === undefined || !event.streamId.startsWith(streamPrefix)) continue
      const { id, type, data, metadata, revision, created: recordedAt } = event
      const stream = event.streamId.slice(streamPrefix.length)
      const place = { position: Number(event.position.commit), stream, revision: Number(revision) }
      found.push({ ...place, id, type, data, metadata, recordedAt })
    }
    return found
  } finally {
    await client.dispose()
  }
}

async function tell(what: 'KILL' | 'START' | 'FREEZE' | 'THAW', node: string): Promise<void> {
  const command = process.env[`EVENTSTORE_${what}`]
  if (command === undefined) throw new Error(`EVENTSTORE_${what} is not set`)
  await run('sh', ['-c', command], {
    env: { ...process.env, NODE: node },
    timeout: commandMs,
  })
}

/** What a node says that it is, in lower case; undefined where it does not answer. */
async function stateOf(node: string): Promise<string | undefined> {
  const headers = { accept: 'application/json' }
  const signal = AbortSignal.timeout(2_000)
  return fetch(`http://${node}/info`, { headers, signal }).then(
    async answer => String(Reflect.get(Object(await answer.json()), 'state')).toLowerCase(),
    () => undefined,
  )
}

/** A node of the cluster that leads, or one that follows, once all of them are up. */
async function nodeThat(wanted: 'leader' | 'follower'): Promise<string> {
  let found: string | undefined
  await waitFor(
    'all nodes of the event store',
    async () => {
      const states = await Promise.all(nodes.map(stateOf))
      found = nodes[states.indexOf(wanted)]
      return found !== undefined && states.every(state => /^(leader|follower)$/.test(state ?? ''))
    },
    90_000,
  )
  if (found === undefined) throw new Error(`no node is a ${wanted}`)
  return found
}

const killed = (which: 'leader' | 'follower'): Nemesis => ({
  name: `kill -9 of the event store's ${which}`,
  async strike(_, random) {
    const node = await nodeThat(which)
    await tell('KILL', node)
    await pause(random.between(0, 3_000))
    await tell('START', node)
    return 0
  },
})

const frozen = (ms: number): Nemesis => ({
  name: `the event store's leader stands still for ${ms / 1_000} s`,
  async strike() {
    const node = await nodeThat('leader')
    await tell('FREEZE', node)
    await pause(ms)
    await tell('THAW', node)
    return 0
  },
})

/** Faults of the nodes, where there are some and commands for them. */
export const eventStoreFaults: readonly Nemesis[] =
  nodes.length === 0 ? [] : [killed('leader'), killed('follower'), frozen(15_000), frozen(40_000)]
