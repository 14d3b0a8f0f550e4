// The rows of the outbox as the audit sees them: read once, and given part by part.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { positionOf } from '../../projections/checkpoints.ts'
import type { Tables } from '../../projections/tables.ts'
import { mailOutbox } from '../mails/outbox.ts'
import { type Part, partOf } from './parts.ts'
import { createSpill, withTemporary } from './spill.ts'

export interface MailRow {
  event_id: string
  template: string
  order_id: string | null
  settled: boolean
}

/** An outbox as it was at the beginning, and what has become of some of its mails. */
export interface Outbox {
  /** How far it had followed the log before its rows were read. */
  reached: Position
  rowsOf(part: Part): AsyncIterable<MailRow>
  /** Those of some mails that are not settled by now. */
  unsettled(mails: ReadonlyMap<string, MailRow>): Promise<ReadonlyMap<string, MailRow>>
  /** Changes with each mail that is sent. */
  lastSent(): Promise<string>
  /** What `lastSent` gave when nothing had been sent between two looks. */
  stoodStillAt: string | undefined
}

interface OutboxParts {
  db: Kysely<Tables>
  /** Mails due since then may wait. */
  settledBefore: Date
}

/** Names a mail. */
export const keyOf = ({ event_id, template }: MailRow) => `${event_id} ${template}`

const pageSize = 10_000

/** Divides the outbox into as many parts as the log, for as long as `work` takes. */
export async function withOutbox<T>(
  on: OutboxParts,
  parts: number,
  work: (outbox: Outbox) => Promise<T>,
): Promise<T> {
  // In this order: whatever is queued meanwhile is more than is asked for, never less.
  const reached = await positionOf(on.db, mailOutbox.name)
  const rest = {
    reached,
    stoodStillAt: undefined,
    unsettled: (mails: ReadonlyMap<string, MailRow>) => unsettledOf(on, mails),
    lastSent: () => lastSent(on),
  }
  if (parts === 1) return work({ ...rest, rowsOf: () => outboxRows(on) })
  return withTemporary(async directory => {
    const spill = createSpill(directory, 'mails', parts)
    for await (const row of outboxRows(on)) {
      await spill.add(partOf(row.event_id, parts), JSON.stringify(row))
    }
    await spill.flush()
    async function* rowsOf({ index }: Part) {
      for await (const line of spill.read(index)) {
        const row: MailRow = JSON.parse(line)
        yield row
      }
    }
    return work({ ...rest, rowsOf })
  })
}

async function lastSent({ db }: OutboxParts): Promise<string> {
  const { rows } = await sql<{ sent: string }>`
    select count(sent_at) || ' ' || coalesce(max(sent_at)::text, '') as sent from shop.mails
  `.execute(db)
  return rows[0]?.sent ?? ''
}

const isSettled = (settledBefore: Date) => sql`
  sent_at is not null
    or state in ('retrying', 'undeliverable', 'dropped')
    or state = 'due' and due_at >= ${settledBefore}
`

/** The rows page by page, as there may be any number. */
async function* outboxRows({ db, settledBefore }: OutboxParts): AsyncGenerator<MailRow> {
  let after = { event_id: '00000000-0000-0000-0000-000000000000', template: '' }
  for (;;) {
    const { rows } = await sql<MailRow>`
      select event_id, template, order_id, ${isSettled(settledBefore)} as settled
      from shop.mails
      where not account and (event_id, template) > (${after.event_id}, ${after.template})
      order by event_id, template
      limit ${pageSize}
    `.execute(db)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = last
  }
}

async function unsettledOf(
  { db, settledBefore }: OutboxParts,
  mails: ReadonlyMap<string, MailRow>,
): Promise<ReadonlyMap<string, MailRow>> {
  if (mails.size === 0) return mails
  const named = [...mails.values()]
  const { rows } = await sql<MailRow>`
    select event_id, template, order_id, false as settled
    from shop.mails
    join unnest(
      ${named.map(each => each.event_id)}::uuid[],
      ${named.map(each => each.template)}::text[]
    ) as named(event_id, template) using (event_id, template)
    where not coalesce(${isSettled(settledBefore)}, false)
  `.execute(db)
  return new Map(rows.map(row => [keyOf(row), row]))
}
