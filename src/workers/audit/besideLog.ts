// What there is of a shop beside its log, for the auditor: read once, given part by part. What is
// queued counts as stuck only while nothing moves.
import { setTimeout } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type {
  Beside,
  Delivery,
  Endpoint,
  LogEvent,
  Mail,
  ShownOrder,
  ShownStock,
} from '../../audit/auditor/evidence.ts'
import { positionOf } from '../../projections/core/checkpoints.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { mailOutbox } from '../reactions/mail/outbox.ts'
import { webhookTypeOf } from '../reactions/webhook/messages.ts'
import { webhookOutbox } from '../reactions/webhook/outbox.ts'
import {
  type BesideRows,
  isPending,
  mailRows,
  movementOf,
  type Row,
  shownRows,
  steadyEndpoints,
  webhookRows,
  workersOf,
} from './besideRows.ts'
import type { CheckResult } from './logCheck.ts'
import { type LogPart, partOf } from './parts.ts'
import { plain } from './promises.ts'
import { createSpill, memorySpill, type Spill, withTemporary } from './spill.ts'

export interface BesideParts {
  db: Kysely<Tables>
  /** What has been due since then may wait. */
  settledBefore: Date
  /** Waits until it is time to look again at what is queued; 5 seconds. */
  beforeLook?: (() => Promise<unknown>) | undefined
}

/** All that there is beside a log, part by part. */
export interface BesideLog {
  of(part: LogPart): Promise<Beside>
  /** What waits, and is no fault. */
  notes(): CheckResult
}

const standsStillMs = 5_000
/** As long as others go out, what is queued waits its turn; this often is looked in vain. */
const looksMax = 24
/** Deliveries that have ended are kept for 30 days. */
const keptMs = 29 * 86_400_000

/** Divides it into as many parts as the log, for as long as `work` takes. */
export async function withBeside<T>(
  on: BesideParts,
  parts: number,
  work: (beside: BesideLog) => Promise<T>,
): Promise<T> {
  if (parts === 1) return work(await collect(on, memorySpill(1), 1))
  return withTemporary(async directory =>
    work(await collect(on, createSpill(directory, 'beside', parts), parts)),
  )
}

async function collect(on: BesideParts, spill: Spill, parts: number): Promise<BesideLog> {
  const { db } = on
  const { hasRun, isAtWork } = await workersOf(db)
  // Before the log: whatever is queued meanwhile is more than is asked for, never less.
  const mails = plain(await positionOf(db, mailOutbox.name))
  const endpoints = await endpointsOf(db)
  let waiting = 0
  const keep = async (row: Row) => {
    if ('is_waiting' in row[1] && row[1].is_waiting) waiting += 1
    await spill.add(partOf(subjectOf(row), parts), JSON.stringify(row))
  }
  for await (const row of mailRows(db, on.settledBefore)) await keep(row)
  for await (const row of webhookRows(db, on.settledBefore)) await keep(row)
  const { orders, stock } = await shownRows(db, keep)
  await spill.flush()
  const looks = createLooks(on)
  const settledBefore = hasRun ? on.settledBefore.getTime() : 0
  const rest = { isAtRest: true, isMoneyOpen: true, settledBefore, endpoints }
  return {
    async of({ index }) {
      const rows: Row[] = []
      for await (const line of spill.read(index)) rows.push(JSON.parse(line))
      // Where no worker has run yet, everything waits for the first one.
      const stuck = hasRun ? await looks.stuck(waitingOf(rows)) : new Set<string>()
      return {
        ...rest,
        ...evidenceOf(rows, stuck),
        reached: { mails, orders: plain(orders), stock: plain(stock) },
      }
    },
    notes: () => notesOn({ waiting, waitsItsTurn: looks.left(), hasRun, isAtWork }),
  }
}

/** By what a row is looked for in the log. */
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

const mailKey = (row: BesideRows['mail']) => `${row.event_id} ${row.template}`
const webhookKey = (row: BesideRows['webhook']) => `${row.event_id} ${row.endpoint_id}`
const nameOf = (endpointId: string) => `endpoint ${endpointId}`

async function endpointsOf(db: Kysely<Tables>): Promise<Endpoint[]> {
  const reached = plain(await positionOf(db, webhookOutbox.name))
  const since = Date.now() - keptMs
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

interface Waiting {
  mails: BesideRows['mail'][]
  webhooks: BesideRows['webhook'][]
}

function waitingOf(rows: readonly Row[]): Waiting {
  const waiting: Waiting = { mails: [], webhooks: [] }
  for (const [kind, row] of rows) {
    if (kind === 'mail' && row.is_waiting) waiting.mails.push(row)
    if (kind === 'webhook' && row.is_waiting) waiting.webhooks.push(row)
  }
  return waiting
}

/** Looks again at what is queued until it has gone, or nothing has moved between two looks. */
function createLooks({ db, settledBefore, beforeLook }: BesideParts) {
  const wait = beforeLook ?? (() => setTimeout(standsStillMs))
  /** What `movementOf` gave when nothing had moved between two looks. */
  let stoodStillAt: string | undefined
  let left = 0
  const look = (waiting: Waiting) => isPending(db, settledBefore, waiting)
  return {
    left: () => left,
    async stuck(waiting: Waiting): Promise<ReadonlySet<string>> {
      if (waiting.mails.length + waiting.webhooks.length === 0) return new Set()
      let before = await look(waiting)
      for (let inVain = 0; before.size > 0 && inVain < looksMax; ) {
        const then = stoodStillAt ?? (await movementOf(db))
        // Where nothing has moved since a part was looked at, nothing is on its way.
        if (stoodStillAt === undefined) await wait()
        const still = await look(waiting)
        const now = await movementOf(db)
        if (still.size === before.size && now === then) {
          stoodStillAt = now
          return still
        }
        stoodStillAt = undefined
        inVain = still.size < before.size ? 0 : inVain + 1
        before = still
      }
      // Others are going out: these wait their turn.
      left += before.size
      return new Set()
    },
  }
}

function notesOn(state: {
  waiting: number
  waitsItsTurn: number
  hasRun: boolean
  isAtWork: boolean
}): CheckResult {
  const { waiting, waitsItsTurn, hasRun, isAtWork } = state
  const notes: string[] = []
  if (!hasRun) {
    notes.push(
      `${waiting} mails and webhooks are due and wait for a worker. None has run on this ` +
        'database yet: what workers have still to do is no finding until then.',
    )
  } else if (!isAtWork && waiting > 0) notes.push('No worker is at work: start one.')
  if (waitsItsTurn > 0) {
    notes.push(`${waitsItsTurn} mails and webhooks are due and wait their turn: others go out.`)
  }
  return { check: 'what is queued goes out', examined: 0, findings: [], count: 0, notes }
}
