// Finds orders that were left half-way, by a crash or by a provider that did not answer, and drives
// them to their end.
import { type Kysely, sql } from 'kysely'
import { advanceOrder } from '../commands/advanceOrder.ts'
import { systemEnvelope } from '../commands/command.ts'
import type { Shop } from '../commands/shop.ts'
import { within } from '../kit/within.ts'
import type { Tables } from '../projections/tables.ts'
import type { Log } from './log.ts'

export interface OrderProcessParts {
  db: Kysely<Tables>
  shop: Shop
  log: Log
}

const sweepMs = 1_000
/** A request drives its order itself; only what stands still for longer is looked after. */
const graceSeconds = 2
const sweepMax = 200
/** A sweep that takes longer hangs: the next one begins without it, since steps may be repeated. */
const sweepMsMax = 60_000

/** Starts looking; `stop` waits for the orders under way. */
export function startOrderProcesses(parts: OrderProcessParts): { stop(): Promise<void> } {
  let sweeping: Promise<void> = Promise.resolve()
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    sweeping = within(sweepMsMax, 'looking after orders', sweep(parts))
      .catch(error => parts.log.warn({ error: String(error) }, 'orders not looked after yet'))
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

async function sweep({ db, shop, log }: OrderProcessParts): Promise<void> {
  const { rows } = await sql<{ order_id: string; now: Date }>`
    select order_id, now() as now
    from order_processes
    where (submitted or paying or refund_due or cart_open or settling or open_money <> '{}')
        and since < now() - make_interval(secs => ${graceSeconds})
      or expires_at <= now()
    order by paying, random()
    limit ${sweepMax}
  `.execute(db)
  // By the clock of the database: those of the workers may differ.
  for (const { order_id: orderId, now } of rows) {
    await driveOn(shop, orderId, { log, now }).catch(error =>
      log.warn({ orderId, error: String(error) }, 'order not driven on yet'),
    )
  }
}

async function driveOn(shop: Shop, orderId: string, by: { log: Log; now: Date }): Promise<void> {
  const { log, now } = by
  const envelope = systemEnvelope('order-process', now)
  const { correlationId = envelope.correlationId } = await shop.orders.load(orderId)
  await advanceOrder(shop, orderId, { ...envelope, correlationId })
  log.info({ orderId, correlationId }, 'order driven on')
}
