// A worker process on a simulated node: drives orders on, and follows the log with the real engine
// under the real leases.

import { decodeAll } from '../../src/commands/decoding.ts'
import type { RecordedEvent } from '../../src/eventstore/port.ts'
import { createDatabase, type Database } from '../../src/infra/database.ts'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import { isTransient } from '../../src/kit/transient.ts'
import { acquire, ensureCheckpoints, LeaseLost, renew } from '../../src/projections/checkpoints.ts'
import { customersProjection } from '../../src/projections/customers.ts'
import { commitBatch, type Member } from '../../src/projections/engine.ts'
import { orderProcesses } from '../../src/projections/orderProcesses.ts'
import { ordersProjection } from '../../src/projections/orders.ts'
import type { Follower } from '../../src/projections/projection.ts'
import type { Log } from '../../src/workers/log.ts'
import { mailOutbox } from '../../src/workers/mails/outbox.ts'
import { startOrderProcesses } from '../../src/workers/orderProcesses.ts'
import { webhookOutbox } from '../../src/workers/webhooks/outbox.ts'
import { type Services, type ShopProcess, startShop } from './shopNode.ts'
import type { Process } from './world.ts'

/** What is followed: the read models that are looked at, and the reactions with effects. */
export const followers: readonly Follower[] = [
  orderProcesses,
  ordersProjection,
  customersProjection,
  mailOutbox,
  webhookOutbox,
]

/** Below the size at which tables are filled by copying. */
const batchMax = 40
const idleMs = 400
/** How often leases are looked for that others have left. */
const othersMs = 600
const renewMs = 1_200

/** Starts a worker; it goes on until its process dies. */
export function startWorker(
  services: Services,
  process: Process,
  onTrouble: (what: string) => void,
): void {
  const running = startShop(services, process)
  const db = createDatabase(running.pool)
  startOrderProcesses({ db, shop: running.shop, log: logOf(onTrouble) })
  void followForEver(services, { ...running, db, onTrouble })
}

/** What is logged as an error that does not pass by itself is trouble. */
function logOf(onTrouble: (what: string) => void): Log {
  const tell = (about: object, says = '') => {
    const error = 'error' in about ? String(about.error) : ''
    if (/Unavailable|Overdue|Unknown/.test(error)) return
    onTrouble(`${says}: ${error}`)
  }
  return { info: () => undefined, warn: tell, error: tell } as unknown as Log
}

interface Following extends ShopProcess {
  db: Database
  onTrouble(what: string): void
}

async function followForEver(services: Services, following: Following): Promise<never> {
  const { sleep } = ownSleep(services, following.process)
  let isReady = false
  for (;;) {
    try {
      if (!isReady) await ensureCheckpoints(following.db, followers)
      isReady = true
      await followWhileHeld(following, sleep)
    } catch (error) {
      if (error instanceof LeaseLost) continue
      if (!isTransient(error)) following.onTrouble(`the log cannot be followed: ${String(error)}`)
      await sleep(500)
    }
  }
}

/** A sleep of this process, which ends with it. */
function ownSleep({ world }: Services, process: Process) {
  const sleep = (ms: number) =>
    new Promise<void>(resolve => void world.scheduler.after(ms, process, () => resolve()))
  return { sleep }
}

/** Throws LeaseLost, or what the database throws. */
async function followWhileHeld(
  following: Following,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  const { db } = following
  const members = await take(following)
  if (members.length === 0) return sleep(othersMs)
  const leases = members.map(({ lease }) => lease)
  let renewedAt = performance.now()
  for (;;) {
    const after = leases.reduce(
      (least, { position }) => (position < least ? position : least),
      leases[0]?.position ?? startOfLog,
    )
    const events = await readOn(following, after)
    const last = events.at(-1)
    if (last === undefined) await sleep(idleMs)
    else {
      const items = await decodeAll(following.codec, events)
      await commitBatch(db, members, { items, position: last.position })
    }
    if (performance.now() - renewedAt < renewMs) continue
    await renew(db, leases, 0)
    renewedAt = performance.now()
  }
}

async function take({ process, db }: Following): Promise<Member[]> {
  const leases = await acquire(db, followers, process.node.name)
  return leases.flatMap(lease => {
    const projection = followers.find(({ name }) => name === lease.name)
    const parking = { name: lease.name, streams: new Set<string>(), onParked: () => undefined }
    return projection === undefined ? [] : [{ projection, lease, parking }]
  })
}

async function readOn({ eventStore }: ShopProcess, after: Position): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of eventStore.readAll({ after })) {
    events.push(event)
    if (events.length >= batchMax) break
  }
  return events
}
