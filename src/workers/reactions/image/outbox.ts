// The reaction that turns new images into sizes to be made: rows first, jobs from rows.
import { sql } from 'kysely'
import { defineReaction } from '../../../projections/core/projection.ts'
import { defineSignal } from '../../../projections/core/signals.ts'

/** There are new images to scale. */
export const imagesQueued = defineSignal('images-queued')

/** The same file is scaled once, however many products show it. */
export const imageOutbox = defineReaction({
  name: 'imageOutbox',
  on: ['ProductImageAdded', 'CategoryImageSet'],
  signals: [imagesQueued],
  async plan(events, db) {
    const due = events.flatMap(({ type, data, actor }) =>
      type === 'ProductImageAdded' || type === 'CategoryImageSet'
        ? { hash: data.hash, by: 'id' in actor ? actor.id : actor.role }
        : [],
    )
    if (due.length === 0) return { writes: [] }
    const insert = sql`
      insert into shop.image_jobs (hash, requested_by)
      select distinct on (hash) hash, by
      from json_to_recordset(${JSON.stringify(due)}::json) as due(hash text, by text)
      on conflict (hash) do nothing
    `
    return { writes: [insert.compile(db)], signals: () => [imagesQueued.raise()] }
  },
})
