// The end of the log in PostgreSQL: which streams were appended to since a position.
import type { Pool } from '../../infra/postgres/database.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import type { TailSource } from '../core/streamHeads.ts'
import { ask, head } from './logReads.ts'

/** Events that are read at most: more of them cost more than reading streams anew. */
const tailMax = 500
const readTail = {
  name: 'eventstore_read_tail',
  text: `select stream, revision, position from eventstore.events
    where position >= $1 order by position limit ${tailMax + 2}`,
}

interface TailRow extends Record<string, unknown> {
  stream: string
  revision: bigint
  position: Position
}

/** Positions are in commit order without gaps, so a tail that was read is complete. */
export function logTail(pool: Pool): TailSource {
  return {
    newest: () => head(pool),
    async tailAfter(after) {
      const found = await ask<TailRow>(pool, readTail, [after])
      const isThere = after === startOfLog || found[0]?.position === after
      const tail = found.filter(({ position }) => position > after)
      if (!isThere || tail.length > tailMax) return undefined
      return {
        heads: tail.map(({ stream, revision }) => ({ stream, revision: Number(revision) })),
        upTo: tail.at(-1)?.position ?? after,
      }
    },
  }
}
