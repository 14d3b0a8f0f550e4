// Fills the tables of several projections from one reading of the log.

import { type Kysely, sql } from 'kysely'
import pLimit from 'p-limit'
import type { Position } from '../../kit/position.ts'
import { isTransient } from '../../kit/transient.ts'
import { applyItems, wholeWork } from '../core/engine.ts'
import { concerns, type Item, placeOf } from '../core/items.ts'
import { commitPipeline } from '../core/pipeline.ts'
import type { Tables } from '../core/tables.ts'
import type { RebuildContext, RebuildMember, Target } from './context.ts'
import { type RebuildEpoch, savePosition, savingPosition } from './rebuildStates.ts'
import { beginOnShadow, writeToShadow } from './shadow.ts'

type Db = Kysely<Tables>

/** Sessions that write at once: the database has more cores than this process. */
export const writersMax = 4
/** So many events of a projection are worth a transaction: more of them fall on the same rows. */
const eventsEnough = 2_500
/** A projection that reads few events saves its position after this many events of all. */
const passedMax = 20_000

/** What was read for a projection and is not being written yet, and what is. */
interface TableFill extends Target {
  items: Item[]
  /** Up to where its items have been read. */
  readTo: Position
  /** Up to where they have been handed over to be written. */
  handedTo: Position
  /** Events read for anybody since then. */
  passed: number
  done: Promise<void>
}

/**
 * Fills the tables of members, each up to a position of its own. Each takes what it reads of the
 * log in transactions of its own: who is quick does not wait for who is slow, up to a bound.
 * Returns how many events were read.
 */
export async function fill(
  db: Db,
  targets: readonly Target[],
  on: RebuildContext,
): Promise<number> {
  const due = targets.filter(({ member, upTo }) => member.position < upTo)
  if (due.length === 0) return 0
  const range = {
    after: due.map(({ member }) => member.position).reduce((a, b) => (a < b ? a : b)),
    upTo: due.map(({ upTo }) => upTo).reduce((a, b) => (a > b ? a : b)),
  }
  const projections = due.map(({ member }) => member.projection)
  const tableFills = due.map(tableFillOf)
  const readers = readersOf(tableFills)
  const slots = pLimit(writersMax)
  const hand = (tableFill: TableFill) => {
    const { member, items, readTo } = tableFill
    tableFill.items = []
    tableFill.handedTo = readTo
    tableFill.passed = 0
    tableFill.done = tableFill.done
      .then(() => slots(() => apply(db, member, { items, position: readTo })))
      .then(() => on.onProgress(member.projection.name, readTo))
  }
  let before: Promise<unknown> | undefined
  let read = 0
  try {
    for await (const batch of on.read(projections, range)) {
      on.signal?.throwIfAborted()
      read += batch.items.length
      give(batch.items, readers, tableFills)
      for (const tableFill of tableFills) {
        const readTo = batch.position < tableFill.upTo ? batch.position : tableFill.upTo
        if (readTo > tableFill.readTo) tableFill.readTo = readTo
        tableFill.passed += batch.items.length
        if (isEnough(tableFill)) hand(tableFill)
      }
      const all = Promise.all(tableFills.map(({ done }) => done))
      // It is awaited in its turn; a failure meanwhile must not count as unhandled.
      all.catch(() => undefined)
      // While this batch is being written one more is read, and no further one.
      await before
      before = all
    }
  } finally {
    // What has been read is worth keeping, even if no more can be read.
    for (const tableFill of tableFills) if (tableFill.readTo > tableFill.handedTo) hand(tableFill)
    // All have to be done before anyone hears of the trouble of one.
    await Promise.allSettled(tableFills.map(({ done }) => done))
  }
  await Promise.all(tableFills.map(({ done }) => done))
  return read
}

/** Who reads which type of event: each event is looked at once, and not by everybody. */
function readersOf(tableFills: readonly TableFill[]): Map<string, TableFill[]> {
  const readers = new Map<string, TableFill[]>()
  for (const tableFill of tableFills) {
    for (const type of tableFill.member.projection.on) {
      readers.set(type, [...(readers.get(type) ?? []), tableFill])
    }
  }
  return readers
}

/** Gives items to those who read them and do not have them yet. */
function give(
  items: readonly Item[],
  readers: ReadonlyMap<string, readonly TableFill[]>,
  tableFills: readonly TableFill[],
): void {
  for (const item of items) {
    const { type, position } = placeOf(item)
    // A type that this release does not know: everybody whom its stream concerns.
    const known = readers.get(type)
    const some = known ?? tableFills.filter(({ member }) => concerns(member.projection, item))
    for (const tableFill of some) {
      if (position > tableFill.readTo && position <= tableFill.upTo) tableFill.items.push(item)
    }
  }
}

function tableFillOf({ member, upTo }: Target): TableFill {
  const { position } = member
  const done = Promise.resolve()
  return { member, upTo, items: [], readTo: position, handedTo: position, passed: 0, done }
}

function isEnough({ items, passed }: TableFill): boolean {
  return items.length >= eventsEnough || passed >= passedMax
}

interface FillBatch {
  items: readonly Item[]
  /** Where the tables are with these. */
  position: Position
}

async function apply(db: Db, member: RebuildMember, part: FillBatch): Promise<void> {
  if (!(await applyAtOnce(db, member, part))) await applyWithCare(db, member, part)
  member.position = part.position
}

/**
 * Reads what a part needs and sends all that it writes. False where that cannot be said beforehand,
 * or does not work: nothing has been written then.
 */
async function applyAtOnce(
  db: Db,
  member: RebuildMember,
  { items, position }: FillBatch,
): Promise<boolean> {
  const { projection, shadow, parking } = member
  const work = wholeWork(projection, items, parking)
  if (work === undefined) return false
  return db.connection().execute(async session => {
    try {
      await beginOnShadow(session, shadow)
      const plan = await work.plan(session)
      if (plan.work === undefined) {
        const moving = savingPosition(session, turnOf(member), position)
        await commitPipeline(session, [...plan.writes, moving])
        return true
      }
    } catch (error) {
      if (isTransient(error)) {
        await rollBack(session).catch(() => undefined)
        throw error
      }
    }
    await rollBack(session)
    return false
  })
}

/** What its writes are fenced by. */
export function turnOf({ projection: { name }, epoch }: RebuildMember): RebuildEpoch {
  return { name, epoch }
}

async function rollBack(session: Db): Promise<void> {
  await sql`rollback`.execute(session)
}

/** An event that cannot be applied is found and parked. */
async function applyWithCare(
  db: Db,
  member: RebuildMember,
  { items, position }: FillBatch,
): Promise<void> {
  const { projection, shadow, parking } = member
  await db.transaction().execute(async trx => {
    await writeToShadow(trx, shadow)
    await applyItems(trx, projection, items, parking)
    await savePosition(trx, turnOf(member), position)
  })
}
