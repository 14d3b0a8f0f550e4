// Finds orders that were left half-way, by a crash or by a provider that did not answer, and drives
// them to their end.
import { type Kysely, sql } from 'kysely'
import type { App } from '../../commands/core/app.ts'
import { systemEnvelope } from '../../commands/core/envelope.ts'
import { endOrderOfErased } from '../../commands/order/openOrders.ts'
import { runOrderProcess } from '../../commands/order/orderProcess.ts'
import { withDeadline } from '../../kit/deadline.ts'
import { isTransient } from '../../kit/transient.ts'
import type { Log } from '../../ports/log.ts'
import type { Tables } from '../../projections/core/tables.ts'

export interface OrderProcessDeps {
  db: Kysely<Tables>
  app: App
  log: Log
}

const sweepMs = 1_000
/** A request runs the process of its order; the worker takes over after this pause. */
const graceSeconds = 2
const sweepMax = 200
/** Orders that wait for an outside action, such as a manual refund, are checked once a minute. */
const pauseMaxMs = 60_000
/** A sweep that takes longer hangs: the next one begins without it, since steps may be repeated. */
const sweepMsMax = 60_000

/** Starts polling; `stop` waits for the current orders. */
export function startOrderProcesses(deps: OrderProcessDeps): { stop(): Promise<void> } {
  let sweeping: Promise<void> = Promise.resolve()
  let isBusy = false
  let isFirst = true
  const paused: PausedOrders = new Map()
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    const poll = async () => {
      await sweep(deps, paused)
      await endOrdersOfErased(deps, isFirst)
      isFirst = false
    }
    sweeping = withDeadline(sweepMsMax, 'looking after orders', poll())
      .catch(error => deps.log.warn({ error: String(error) }, 'orders not looked after yet'))
      .finally(() => {
        isBusy = false
      })
  }, sweepMs)
  return {
    async stop() {
      clearInterval(timer)
      await sweeping
    },
  }
}

/**
 * Orders that did not get on, and when to look at each of them again. One whose deadline is over is
 * looked at before that, unless it has failed: of a stream that is not whole nothing can be read.
 */
type PausedOrders = Map<string, { pauseMs: number; resumeAt: number; hasFailed: boolean }>

async function sweep(deps: OrderProcessDeps, paused: PausedOrders): Promise<void> {
  const { db, app, log } = deps
  const pausedIds = [...paused].filter(([, { resumeAt }]) => resumeAt > Date.now())
  const [ids, failing] = [pausedIds, pausedIds.filter(([, each]) => each.hasFailed)].map(some =>
    some.map(([id]) => id),
  )
  const { rows } = await sql<{ order_id: string; paying: boolean; now: Date }>`
    select order_id, paying, now() as now
    from order_processes
    where (
        (submitted or paying or refund_due or cart_open or settling or open_money <> '{}')
          and since < now() - make_interval(secs => ${graceSeconds})
          and order_id <> all(${ids}::uuid[])
        or expires_at <= now()
      )
      and order_id <> all(${failing}::uuid[])
    order by paying, random()
    limit ${sweepMax}
  `.execute(db)
  // By the clock of the database: those of the workers may differ.
  for (const { order_id: orderId, paying, now } of rows) {
    let hasFailed = false
    const hasMoved = await driveOn(app, orderId, { log, now }).catch(error => {
      log.warn({ orderId, error: String(error) }, 'order not driven on yet')
      hasFailed = !isTransient(error)
      return false
    })
    // The provider may answer at any time, and the customer is waiting.
    if (hasMoved || (paying && !hasFailed)) paused.delete(orderId)
    else rest(paused, orderId, hasFailed)
  }
}

/** Recent erasures, checked on every poll; older ones are checked when a worker starts. */
const erasedSeconds = 30 * 86_400
/** A payment that was under way when its customer was erased may have begun before. */
const raceSeconds = 60

/**
 * Cancels orders whose customer was erased at the very moment at which they were placed or paid.
 * Orders that were paid long before, as a restored backup may have them, are somebody's to look at.
 */
async function endOrdersOfErased(
  { db, app, log }: OrderProcessDeps,
  isFirst: boolean,
): Promise<void> {
  const { rows } = await sql<{ orderId: string; now: Date }>`
    select o.order_id as "orderId", now() as now
    from shop.person_keys k
    join customers c on c.customer_id = k.subject and c.erased
    join orders o on o.customer_id = k.subject
    where k.erased_at > now() - make_interval(secs => ${isFirst ? 1e9 : erasedSeconds})
      and (
        o.status = 'pending'
        or o.status = 'paid' and o.updated_at > c.updated_at - make_interval(secs => ${raceSeconds})
      )
    limit ${sweepMax}
  `.execute(db)
  for (const { orderId, now } of rows) {
    await endOrderOfErased(app, systemEnvelope('order-process', now), orderId).then(
      isEnded => isEnded && log.info({ orderId }, 'order of an erased customer ended'),
      error => log.warn({ orderId, error: String(error) }, 'order of an erased customer not ended'),
    )
  }
}

/** Exponential back-off; orders that have progressed are removed. */
function rest(paused: PausedOrders, orderId: string, hasFailed: boolean): void {
  const pauseMs = Math.min(pauseMaxMs, 2 * (paused.get(orderId)?.pauseMs ?? sweepMs))
  paused.set(orderId, { pauseMs, resumeAt: Date.now() + pauseMs, hasFailed })
  for (const [id, { resumeAt }] of paused) if (resumeAt < Date.now() - pauseMaxMs) paused.delete(id)
}

/** Whether the order has got on. */
async function driveOn(app: App, orderId: string, by: { log: Log; now: Date }): Promise<boolean> {
  const { log, now } = by
  const envelope = systemEnvelope('order-process', now)
  const before = await app.orders.load(orderId)
  const { correlationId = envelope.correlationId } = before
  const advanced = await runOrderProcess(app, orderId, { ...envelope, correlationId }, before)
  const hasMoved = advanced !== undefined && advanced.position > before.position
  if (hasMoved) log.info({ orderId, correlationId }, 'order driven on')
  // What can be done is done: the rest waits, longer each time, until that stream can be read.
  if (advanced?.blockedBy !== undefined) throw advanced.blockedBy
  return hasMoved
}
