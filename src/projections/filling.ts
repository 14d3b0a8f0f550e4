// Fills the tables of several projections from one reading of the log.
import type { Kysely } from 'kysely'
import { createSlots } from '../kit/slots.ts'
import { applyItems, type Item, itemsFor, type Parking } from './engine.ts'
import type { Projection } from './projection.ts'
import type { Rebuilding } from './rebuild.ts'
import { savePosition } from './rebuildStates.ts'
import { writeToShadow } from './shadow.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A projection that is being rebuilt, and how far its new tables are. */
export interface Member {
  projection: Projection
  shadow: string
  position: bigint
  parking: Parking
}

/** Sessions that write at once: the database has more cores than this process. */
export const writersMax = 4
/** So many events of a projection are worth a transaction: more of them fall on the same rows. */
const eventsEnough = 2_500
/** A projection that reads few events is no further behind the reading than this. */
const behindMax = 20_000n

/** What was read for a projection and is not being written yet, and what is. */
interface Lane {
  member: Member
  items: Item[]
  /** Up to where its items have been read. */
  readTo: bigint
  /** Up to where they have been handed over to be written. */
  handedTo: bigint
  done: Promise<void>
}

/**
 * Fills the tables of all members up to a position. Each takes what it reads of the log in
 * transactions of its own: who is quick does not wait for who is slow, up to a bound.
 */
export async function fill(
  db: Db,
  members: readonly Member[],
  on: Rebuilding,
  upTo: bigint,
): Promise<void> {
  const due = members.filter(({ position }) => position < upTo)
  if (due.length === 0) return
  const after = due.map(({ position }) => position).reduce((a, b) => (a < b ? a : b))
  const projections = due.map(({ projection }) => projection)
  const lanes = due.map(laneOf)
  const slots = createSlots(writersMax)
  const hand = (lane: Lane) => {
    const { member, items, readTo } = lane
    lane.items = []
    lane.handedTo = readTo
    lane.done = lane.done
      .then(() => slots.take(() => apply(db, member, { items, position: readTo })))
      .then(() => on.onProgress(member.projection.name, readTo))
  }
  let before: Promise<unknown> | undefined
  try {
    for await (const batch of on.read(projections, { after, upTo })) {
      on.signal?.throwIfAborted()
      for (const lane of lanes) {
        lane.items.push(...itemsFor(lane.member.projection, lane.readTo, batch))
        if (batch.position > lane.readTo) lane.readTo = batch.position
        if (isEnough(lane)) hand(lane)
      }
      const all = Promise.all(lanes.map(({ done }) => done))
      // It is awaited in its turn; a failure meanwhile must not count as unhandled.
      all.catch(() => undefined)
      // While this batch is being written one more is read, and no further one.
      await before
      before = all
    }
  } finally {
    // What has been read is worth keeping, even if no more can be read.
    for (const lane of lanes) if (lane.readTo > lane.handedTo) hand(lane)
    // All have to be done before anyone hears of the trouble of one.
    await Promise.allSettled(lanes.map(({ done }) => done))
  }
  await Promise.all(lanes.map(({ done }) => done))
}

function laneOf(member: Member): Lane {
  const { position } = member
  return { member, items: [], readTo: position, handedTo: position, done: Promise.resolve() }
}

function isEnough({ items, readTo, handedTo }: Lane): boolean {
  return items.length >= eventsEnough || readTo - handedTo >= behindMax
}

async function apply(
  db: Db,
  member: Member,
  { items, position }: { items: readonly Item[]; position: bigint },
): Promise<void> {
  const { projection, shadow, parking } = member
  await db.transaction().execute(async trx => {
    await writeToShadow(trx, shadow)
    await applyItems(trx, projection, items, parking)
    await savePosition(trx, projection.name, position)
  })
  member.position = position
}
