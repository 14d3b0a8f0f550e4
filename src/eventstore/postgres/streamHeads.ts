// Where streams end, learned from what was appended: most reads ask whether a stream has got any
// further, and the end of the log answers that for all of them together.

import type { Pool } from '../../infra/postgres/database.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import { advanced } from '../core/positionNumbers.ts'
import { ask, head } from './logReads.ts'

export interface StreamHeads {
  /** Whether as far as is known nothing stands in a stream behind this revision. */
  seemsToEnd(stream: string, revision: number): boolean
  /** Learns of what this process has written itself, so that it is not read again. */
  appended(written: Written): void
  /** Reads what has been appended anywhere since the last time; false where that was too much. */
  refresh(): Promise<boolean>
  /**
   * Begins a read of whole ends of streams; what it has found is told to the function given back:
   * where each of them ends, as the last revision that it has.
   */
  begin(): Promise<(found: Iterable<readonly [stream: string, last: number]>) => void>
}

/** Events of one stream that were written together: the last of them, and how many there are. */
export interface Written {
  stream: string
  revision: number
  position: Position
  count: number
}

/** Appends to look through at most: beyond that it costs more than reading streams anew. */
const tailMax = 500
const streamsMax = 20_000
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

/**
 * What was appended behind a position; undefined where that is too much, and where the log does not
 * reach that far any more: it would seem to have nothing new for long.
 */
async function readBehind(pool: Pool, after: Position): Promise<TailRow[] | undefined> {
  const found = await ask<TailRow>(pool, readTail, [after])
  const isThere = after === startOfLog || found[0]?.position === after
  const tail = found.filter(({ position }) => position > after)
  return isThere && tail.length <= tailMax ? tail : undefined
}

/**
 * Follows the ends of streams in a PostgreSQL log. Positions are in commit order without gaps, so
 * everything up to `seen` is known: a stream that is in `ends` has no event behind its end at or
 * before `seen`.
 */
export function followStreamHeads(pool: Pool): StreamHeads {
  const ends = new Map<string, number>()
  let seen: Position | undefined
  /** Counts how often everything was forgotten: what a read found that began before is too old. */
  let epoch = 0

  function forget() {
    ends.clear()
    seen = undefined
    epoch += 1
  }

  function extend(stream: string, last: number) {
    const before = ends.get(stream)
    if (before === undefined || last > before) ends.set(stream, last)
  }

  return {
    seemsToEnd(stream, revision) {
      const last = ends.get(stream)
      return last !== undefined && last <= revision
    },
    appended({ stream, revision, position, count }) {
      const before = advanced(position, -count)
      // Within `seen`, others may have written behind it: only a read tells.
      if (seen === undefined || before < seen) return
      extend(stream, revision)
      if (before === seen) seen = position
      if (ends.size > streamsMax) forget()
    },
    async refresh() {
      if (seen === undefined) return false
      const [after, began] = [seen, epoch]
      const tail = await readBehind(pool, after)
      if (epoch !== began) return false
      if (tail === undefined) {
        forget()
        return false
      }
      for (const { stream, revision, position } of tail) {
        extend(stream, Number(revision))
        if (position > seen) seen = position
      }
      return true
    },
    async begin() {
      if (ends.size > streamsMax) forget()
      if (seen === undefined) {
        const newest = await head(pool)
        // Not where somebody else was quicker: what they know goes no further than their head.
        seen ??= newest
      }
      const began = epoch
      return found => {
        // What was appended meanwhile is in `ends` already, and further on than what was found.
        if (epoch === began) for (const [stream, last] of found) extend(stream, last)
      }
    },
  }
}
