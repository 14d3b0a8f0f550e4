// Observations for the auditor: rows outside of the log, read once and returned by partition.
// Queued rows count as stuck only while no other row moves.
import { setTimeout } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type {
  Delivery,
  Endpoint,
  LogEvent,
  Mail,
  Observations,
  ShownOrder,
  ShownStock,
} from '../../audit/auditor/evidence.ts'
import { positionOf } from '../../projections/core/checkpoints.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { mailOutbox } from '../reactions/mail/outbox.ts'
import { webhookTypeOf } from '../reactions/webhook/messages.ts'
import { webhookOutbox } from '../reactions/webhook/outbox.ts'
import type { CheckResult } from './logCheck.ts'
import {
  isPending,
  mailRows,
  movementOf,
  type ObservationRows,
  type Row,
  shownRows,
  steadyEndpoints,
  webhookRows,
  workersOf,
} from './observationRows.ts'
import { type LogPartition, partitionOf } from './partitions.ts'
import { plain } from './promises.ts'
import { createSpill, memorySpill, type Spill, withTemporary } from './spill.ts'

export interface ObservationOptions {
  db: Kysely<Tables>
  /** Rows that became due after this moment may still be pending. */
  cutoff: Date
  /** Waits before queued rows are checked again; 5 seconds by default. */
  beforeRecheck?: (() => Promise<unknown>) | undefined
}

/** The observations, by partition of the log. */
export interface ObservationSource {
  ofPartition(part: LogPartition): Promise<Observations>
  /** Rows that are pending, which is no finding. */
  notes(): CheckResult
}

const recheckMs = 5_000
/** While other rows are sent, queued ones wait; at most this many checks without progress. */
const rechecksMax = 24
/** Finished deliveries are deleted after 30 days. */
const retentionMs = 29 * 86_400_000

/** Partitions the observations like the log, for the duration of `work`. */
export async function withObservations<T>(
  options: ObservationOptions,
  partitions: number,
  work: (source: ObservationSource) => Promise<T>,
): Promise<T> {
  if (partitions === 1) return work(await collect(options, memorySpill(1), 1))
  return withTemporary(async directory =>
    work(await collect(options, createSpill(directory, 'observed', partitions), partitions)),
  )
}

async function collect(
  options: ObservationOptions,
  spill: Spill,
  partitions: number,
): Promise<ObservationSource> {
  const { db } = options
  const { hasRun, isAtWork } = await workersOf(db)
  // Read before the log: rows that are queued meanwhile are extra, never missing.
  const mails = plain(await positionOf(db, mailOutbox.name))
  const endpoints = await endpointsOf(db)
  let pending = 0
  const store = async (row: Row) => {
    if ('is_waiting' in row[1] && row[1].is_waiting) pending += 1
    await spill.add(partitionOf(subjectOf(row), partitions), JSON.stringify(row))
  }
  for await (const row of mailRows(db, options.cutoff)) await store(row)
  for await (const row of webhookRows(db, options.cutoff)) await store(row)
  const { orders, stock } = await shownRows(db, store)
  await spill.flush()
  const rechecks = createRechecks(options)
  const cutoff = hasRun ? options.cutoff.getTime() : 0
  const constant = { isAtRest: true, isMoneyOpen: true, cutoff, endpoints }
  return {
    async ofPartition({ index }) {
      const rows: Row[] = []
      for await (const line of spill.read(index)) rows.push(JSON.parse(line))
      // Without any worker so far, every row is pending.
      const stuck = hasRun ? await rechecks.stuck(pendingOf(rows)) : new Set<string>()
      return {
        ...constant,
        ...evidenceOf(rows, stuck),
        reached: { mails, orders: plain(orders), stock: plain(stock) },
      }
    },
    notes: () => noteResult({ pending, queued: rechecks.stillQueued(), hasRun, isAtWork }),
  }
}

/** The key under which the log has the subject of a row. */
function subjectOf([kind, row]: Row): string {
  if (kind === 'order') return row.order_id
  return kind === 'stock' ? row.product_id : row.event_id
}

function evidenceOf(rows: readonly Row[], stuck: ReadonlySet<string>) {
  const mails: Mail[] = []
  const webhooks: Delivery[] = []
  const orders: ShownOrder[] = []
  const stock: ShownStock[] = []
  for (const [kind, row] of rows) {
    if (kind === 'mail') {
      const { event_id: eventId, template, order_id: orderId } = row
      mails.push({ eventId, template, orderId, isStuck: stuck.has(mailKey(row)) })
    } else if (kind === 'webhook') {
      const endpoint = nameOf(row.endpoint_id)
      webhooks.push({ eventId: row.event_id, endpoint, isStuck: stuck.has(webhookKey(row)) })
    } else if (kind === 'order') orders.push({ orderId: row.order_id, status: row.status })
    else {
      const { product_id: productId, on_hand, reserved } = row
      stock.push({ productId, onHand: Number(on_hand), reserved: Number(reserved) })
    }
  }
  return { mails, webhooks, orders, stock }
}

const mailKey = (row: ObservationRows['mail']) => `${row.event_id} ${row.template}`
const webhookKey = (row: ObservationRows['webhook']) => `${row.event_id} ${row.endpoint_id}`
const nameOf = (endpointId: string) => `endpoint ${endpointId}`

async function endpointsOf(db: Kysely<Tables>): Promise<Endpoint[]> {
  const reached = plain(await positionOf(db, webhookOutbox.name))
  const since = Date.now() - retentionMs
  const names: Readonly<Record<string, string>> = webhookTypeOf
  return (await steadyEndpoints(db)).map(({ endpoint_id, events, starts_after }) => ({
    endpoint: nameOf(endpoint_id),
    wants: ({ position, type, at }: LogEvent) =>
      position > plain(starts_after) &&
      position <= reached &&
      events.includes(names[type] ?? '') &&
      Date.parse(at) > since,
  }))
}

interface PendingRows {
  mails: ObservationRows['mail'][]
  webhooks: ObservationRows['webhook'][]
}

function pendingOf(rows: readonly Row[]): PendingRows {
  const pending: PendingRows = { mails: [], webhooks: [] }
  for (const [kind, row] of rows) {
    if (kind === 'mail' && row.is_waiting) pending.mails.push(row)
    if (kind === 'webhook' && row.is_waiting) pending.webhooks.push(row)
  }
  return pending
}

/** Checks queued rows again until they are sent, or nothing has moved between two checks. */
function createRechecks({ db, cutoff, beforeRecheck }: ObservationOptions) {
  const wait = beforeRecheck ?? (() => setTimeout(recheckMs))
  /** The value of `movementOf` when nothing had moved between two checks. */
  let idleAt: string | undefined
  let stillQueued = 0
  const findPending = (pending: PendingRows) => isPending(db, cutoff, pending)
  return {
    stillQueued: () => stillQueued,
    async stuck(pending: PendingRows): Promise<ReadonlySet<string>> {
      if (pending.mails.length + pending.webhooks.length === 0) return new Set()
      let before = await findPending(pending)
      for (let attempts = 0; before.size > 0 && attempts < rechecksMax; ) {
        const then = idleAt ?? (await movementOf(db))
        // Nothing has moved since the previous partition: no need to wait again.
        if (idleAt === undefined) await wait()
        const still = await findPending(pending)
        const now = await movementOf(db)
        if (still.size === before.size && now === then) {
          idleAt = now
          return still
        }
        idleAt = undefined
        attempts = still.size < before.size ? 0 : attempts + 1
        before = still
      }
      // Other rows are being sent: these are queued, not stuck.
      stillQueued += before.size
      return new Set()
    },
  }
}

function noteResult(state: {
  pending: number
  queued: number
  hasRun: boolean
  isAtWork: boolean
}): CheckResult {
  const { pending, queued, hasRun, isAtWork } = state
  const notes: string[] = []
  if (!hasRun) {
    notes.push(
      `${pending} mails and webhooks are due and wait for a worker. None has run on this ` +
        'database yet: what workers have still to do is no finding until then.',
    )
  } else if (!isAtWork && pending > 0) notes.push('No worker is at work: start one.')
  if (queued > 0) {
    notes.push(`${queued} mails and webhooks are due and wait their turn: others go out.`)
  }
  return { check: 'what is queued goes out', examined: 0, findings: [], count: 0, notes }
}
