// The book of checkpoints in PostgreSQL, wherever the log is.

import { withDeadline } from '../../kit/deadline.ts'
import { readPosition, writePosition } from '../../kit/position.ts'
import type { CheckpointBook, Mark, StoredCheckpoint, StoredSegment } from '../../ports/audit.ts'
import { type Pool, rows, type Statement, violatedConstraint } from '../postgres/database.ts'

const last: Statement = {
  name: 'audit_checkpoints_last',
  text: `select position, after, signed
    from shop.audit_checkpoints
    order by position desc
    limit 1`,
}

const upTo: Statement = {
  name: 'audit_checkpoints_up_to',
  text: `select position, after, signed
    from shop.audit_checkpoints
    where position <= $1
    order by position desc
    limit 1`,
}

const after: Statement = {
  name: 'audit_checkpoints_behind',
  text: `select position, after, signed
    from shop.audit_checkpoints
    where position > $1
    order by position
    limit $2`,
}

const segmentsAfter: Statement = {
  name: 'audit_checkpoints_parts',
  text: `select position, after, signed, marks
    from shop.audit_checkpoints
    where position > $1
    order by position
    limit $2`,
}

const add: Statement = {
  name: 'audit_checkpoints_add',
  text: `insert into shop.audit_checkpoints (position, after, signed, marks)
    values ($1, $2, $3, $4)`,
}

const lock: Statement = {
  name: 'audit_lock',
  text: `select pg_try_advisory_lock(hashtext('shop.audit_checkpoints')) as taken`,
}

const unlock: Statement = {
  name: 'audit_unlock',
  text: `select pg_advisory_unlock(hashtext('shop.audit_checkpoints'))`,
}

/** A session that does not answer by then is ended, and its lock with it. */
const unlockMs = 5_000
const positionBytes = 8
const markBytes = positionBytes + 32

/** Checkpoints in shop.audit_checkpoints. Throws Unavailable. */
export function createCheckpointBook(pool: Pool): CheckpointBook {
  const ask = (statement: Statement, values: unknown[] = []) =>
    rows<StoredCheckpoint & { [column: string]: unknown }>(pool, statement, values)
  return {
    last: async () => (await ask(last))[0],
    upTo: async position => (await ask(upTo, [position]))[0],
    after: (position, limit) => ask(after, [position, limit]),
    async segmentsAfter(position, limit) {
      const found = await rows<StoredCheckpoint & { marks: Buffer }>(pool, segmentsAfter, [
        position,
        limit,
      ])
      return found.map(segment => ({ ...segment, marks: unpacked(segment.marks) }))
    },
    add: segment => addSegment(pool, segment),
    withLock: work => runLocked(pool, work),
  }
}

async function addSegment(pool: Pool, segment: StoredSegment): Promise<boolean> {
  const { position, after, signed, marks } = segment
  try {
    await rows(pool, add, [position, after, signed, packed(marks)])
    return true
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw error
    return false
  }
}

/** The lock belongs to a session and ends with it, however the process ends. */
async function runLocked(pool: Pool, work: () => Promise<void>): Promise<boolean> {
  const session = await pool.connect()
  let broken: Error | undefined
  const release = () =>
    withDeadline(unlockMs, 'giving back the right to sign', rows(session, unlock)).catch(
      (cause: Error) => {
        broken = cause
      },
    )
  try {
    const [row] = await rows<{ taken: boolean }>(session, lock)
    if (row?.taken !== true) return false
    await work().finally(release)
    return true
  } finally {
    session.release(broken)
  }
}

function packed(marks: readonly Mark[]): Buffer {
  const bytes = Buffer.alloc(marks.length * markBytes)
  for (const [index, { position, hash }] of marks.entries()) {
    writePosition(position, bytes, index * markBytes)
    bytes.write(hash, index * markBytes + positionBytes, 'hex')
  }
  return bytes
}

function unpacked(bytes: Buffer): Mark[] {
  return Array.from({ length: Math.floor(bytes.length / markBytes) }, (_, index) => {
    const start = index * markBytes
    return {
      position: readPosition(bytes, start),
      hash: bytes.toString('hex', start + positionBytes, start + markBytes),
    }
  })
}
