// Sends again what happened in a range of the log: a batch a transaction, resumable at any point.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../../kit/position.ts'
import { isTransient } from '../../../kit/transient.ts'
import type { Codec } from '../../../ports/codec.ts'
import type { EventStore } from '../../../ports/eventStore.ts'
import type { ReadEvent } from '../../../projections/core/events.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { isSent, type SentEvent, sentTypes } from './messages.ts'
import { queueAgain } from './outbox.ts'

export interface ReplayParts {
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
}

interface Replay {
  endpoint_id: string
  replay_after: Position
  replay_to: Position
}

const batchMax = 500

/** Goes on with one replay by a batch; false when there is none that nobody is at work on. */
export function replayOn(parts: ReplayParts): Promise<boolean> {
  return parts.db.transaction().execute(async trx => {
    const { rows } = await sql<Replay>`
      select endpoint_id, replay_after, replay_to
      from shop.webhook_endpoints
      where replay_to is not null
      limit 1
      for update skip locked
    `.execute(trx)
    const [replay] = rows
    if (replay === undefined) return false
    const { events, reached } = await readRange(parts, replay)
    await queueAgain(trx, replay.endpoint_id, events)
    const isDone = reached >= replay.replay_to
    await sql`
      update shop.webhook_endpoints
      set replay_after = ${isDone ? null : reached}, replay_to = ${isDone ? null : replay.replay_to}
      where endpoint_id = ${replay.endpoint_id}
    `.execute(trx)
    return true
  })
}

async function readRange({ eventStore, codec }: ReplayParts, replay: Replay) {
  const events: SentEvent[] = []
  const filter = { types: sentTypes }
  for await (const recorded of eventStore.readAll({ after: replay.replay_after, filter })) {
    if (recorded.position > replay.replay_to) break
    const event = await decoded(codec, recorded)
    if (event !== undefined && isSent(event)) events.push(event)
    if (events.length >= batchMax) return { events, reached: recorded.position }
  }
  return { events, reached: replay.replay_to }
}

/** What cannot be understood was never sent, and is not sent now. */
async function decoded(
  codec: Codec,
  recorded: Parameters<Codec['decode']>[0],
): Promise<ReadEvent | undefined> {
  try {
    return await codec.decode(recorded)
  } catch (error) {
    if (isTransient(error)) throw error
    return undefined
  }
}
