// The reaction that turns new images into sizes to be made: rows first, jobs from rows.
import { sql } from 'kysely'
import type { Reaction } from '../../projections/projection.ts'

/** The same file is scaled once, however many products show it. */
export const imageOutbox: Reaction = {
  name: 'imageOutbox',
  on: ['ProductImageAdded', 'CategoryImageSet'],
  async apply(events, db) {
    const hashes = events.flatMap(event =>
      event.type === 'ProductImageAdded' || event.type === 'CategoryImageSet'
        ? event.data.hash
        : [],
    )
    if (hashes.length === 0) return {}
    await sql`
      insert into shop.image_jobs (hash)
      select distinct hash from unnest(${hashes}::text[]) as due(hash)
      on conflict (hash) do nothing
    `.execute(db)
    return { imagesQueued: true }
  },
}
