// A worker process on a simulated node: drives orders on, and follows the log with the real engine
// under the real leases.

import { decodeAll } from '../../src/commands/core/decoding.ts'
import { createDatabase, type Database } from '../../src/infra/postgres/database.ts'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import { isTransient } from '../../src/kit/transient.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import type { Log } from '../../src/ports/log.ts'
import {
  acquire,
  ensureCheckpoints,
  LeaseLost,
  renew,
} from '../../src/projections/core/checkpoints.ts'
import {
  type ActiveProjection,
  commitBatch,
  parkedStreams,
} from '../../src/projections/core/engine.ts'
import type { Consumer, Projection } from '../../src/projections/core/projection.ts'
import { customersProjection } from '../../src/projections/customer/customers.ts'
import { orderProcesses } from '../../src/projections/order/orderProcesses.ts'
import { ordersProjection } from '../../src/projections/order/orders.ts'
import { startOrderProcesses } from '../../src/workers/jobs/orderProcesses.ts'
import { runRebuilds } from '../../src/workers/projector/rebuilds.ts'
import { mailOutbox } from '../../src/workers/reactions/mail/outbox.ts'
import { webhookOutbox } from '../../src/workers/reactions/webhook/outbox.ts'
import { type Services, type ShopProcess, startShop } from './shopNode.ts'
import type { Process } from './world.ts'

/** The read models that are looked at, and built anew now and then. */
export const projections: readonly Projection[] = [
  orderProcesses,
  ordersProjection,
  customersProjection,
]

/** What is followed: these, and the reactions with effects. */
export const consumers: readonly Consumer[] = [...projections, mailOutbox, webhookOutbox]

/** Below the size at which tables are filled by copying. */
const batchMax = 40
const idleMs = 400
/** How often leases are looked for that others have left. */
const othersMs = 600
const renewMs = 1_200

const otherRows = 'rebuilt: the old rows were others'

/** Starts a worker; it goes on until its process dies. */
export function startWorker(
  services: Services,
  process: Process,
  onTrouble: (what: string) => void,
): void {
  const running = startShop(services, process)
  const db = createDatabase(running.pool)
  const log = logOf(what => {
    // Between the end of a key and the event that says so, what is read anew has less to show.
    const isForgetting = services.erased.size > 0 && what.startsWith(otherRows)
    if (!isForgetting) onTrouble(what)
  })
  startOrderProcesses({ db, app: running.app, log })
  const { eventStore, codec } = running
  // It ends with the process.
  void runRebuilds({ db, projections, log, eventStore, codec }, new AbortController().signal)
  void followForEver(services, { ...running, db, onTrouble })
}

/** What is logged as an error that does not pass by itself is trouble. */
function logOf(onTrouble: (what: string) => void): Log {
  const tell = (about: object, says = '') => {
    const error = 'error' in about ? String(about.error) : JSON.stringify(about)
    if (/^(Unavailable|Overdue|Unknown)/.test(error)) return
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
      if (!isReady) await ensureCheckpoints(following.db, consumers)
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

async function take({ process, db }: Following): Promise<ActiveProjection[]> {
  const leases = await acquire(db, consumers, process.node.name)
  const members: ActiveProjection[] = []
  for (const lease of leases) {
    const projection = consumers.find(({ name }) => name === lease.name)
    if (projection === undefined) continue
    const streams = await parkedStreams(db, lease.name)
    const parking = { name: lease.name, streams, onParked: () => undefined }
    members.push({ projection, lease, parking })
  }
  return members
}

async function readOn({ eventStore }: ShopProcess, after: Position): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of eventStore.readAll({ after })) {
    events.push(event)
    if (events.length >= batchMax) break
  }
  return events
}
