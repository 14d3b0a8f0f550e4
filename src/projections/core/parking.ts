// Events that a projection could not handle: who they are, and what is decided about them.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { applyItems } from './engine.ts'
import { type Item, placeOf, reads } from './items.ts'
import type { Consumer } from './projection.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export interface ParkedEvent {
  position: Position
  stream: string
  type: string
  error: string
  awaits: string | null
  parkedAt: Date
}

export interface ParkingDecision {
  decision: 'retry' | 'skip'
  reason: string | null
  decidedBy: string
}

export type Decided =
  | { outcome: 'applied'; events: number; left: number }
  | { outcome: 'still-parked'; error: string }
  /** Events of a stream are handled in order: this one is first. */
  | { outcome: 'not-first'; first: Position }
  | { outcome: 'not-parked' }

/** What is parked for a projection, in log order, behind a position. */
export async function parkedEvents(
  db: Db,
  name: string,
  { after, limit }: { after: Position; limit: number },
): Promise<ParkedEvent[]> {
  const { rows } = await sql<ParkedEvent>`
    select position, stream, type, error, awaits, parked_at as "parkedAt"
    from shop.parked_events
    where name = ${name} and position > ${after}
    order by position
    limit ${limit}
  `.execute(db)
  return rows
}

/**
 * Tries the parked events of a stream again, from the first of them on, or without it. What can be
 * applied is parked no longer, up to the first that cannot. `read` gives the events of a stream at
 * some positions, decoded. The decision is written down, whatever comes of it.
 */
export async function decideParked(
  db: Db,
  projection: Consumer,
  on: {
    position: Position
    decision: ParkingDecision
    read(stream: string, positions: readonly Position[]): Promise<readonly Item[]>
  },
): Promise<Decided> {
  const { position, decision, read } = on
  return db.transaction().execute(async trx => {
    // The runner waits, and then loses its lease: it has to learn what is parked now.
    await sql`
      update shop.checkpoints set epoch = epoch + 1 where name = ${projection.name}
    `.execute(trx)
    const stream = await streamOf(trx, projection.name, position)
    if (stream === undefined) return { outcome: 'not-parked' }
    const parked = await positionsOf(trx, projection.name, stream)
    const [first = position] = parked
    if (first !== position) return { outcome: 'not-first', first }
    const due = decision.decision === 'skip' ? parked.slice(1) : parked
    if (decision.decision === 'skip') await unpark(trx, projection.name, [position])
    const decided = await applyParked(trx, projection, await read(stream, due))
    const { outcome } = decided
    await sql`
      insert into shop.parking_decisions
        (name, position, stream, decision, outcome, reason, decided_by)
      values (${projection.name}, ${position}, ${stream}, ${decision.decision}, ${outcome},
        ${decision.reason}, ${decision.decidedBy})
    `.execute(trx)
    return decided
  })
}

async function streamOf(db: Db, name: string, position: Position): Promise<string | undefined> {
  const { rows } = await sql<{ stream: string }>`
    select stream from shop.parked_events where name = ${name} and position = ${position}
  `.execute(db)
  return rows[0]?.stream
}

export async function positionsOf(db: Db, name: string, stream: string): Promise<Position[]> {
  const { rows } = await sql<{ position: Position }>`
    select position from shop.parked_events
    where name = ${name} and stream = ${stream}
    order by position
  `.execute(db)
  return rows.map(row => row.position)
}

async function unpark(db: Db, name: string, positions: readonly Position[]): Promise<void> {
  await sql`
    delete from shop.parked_events
    where name = ${name} and position = any(${positions}::bigint[])
  `.execute(db)
}

export async function applyParked(
  db: Db,
  projection: Consumer,
  items: readonly Item[],
): Promise<Decided> {
  const { name } = projection
  const done: Position[] = []
  let error: string | undefined
  for (const item of items) {
    const streams = new Set<string>()
    let failure = ''
    const onParked = (poison: { error: string }) => {
      failure = poison.error
    }
    // What this release knows and does not read was parked by one that did not know it.
    const isMeant = 'poison' in item || reads(projection, item.event.type)
    if (isMeant) await applyItems(db, projection, [item], { name, streams, onParked })
    if (streams.size > 0) {
      error = failure
      break
    }
    done.push(placeOf(item).position)
  }
  await unpark(db, name, done)
  if (error !== undefined && done.length === 0) return { outcome: 'still-parked', error }
  return { outcome: 'applied', events: done.length, left: items.length - done.length }
}
