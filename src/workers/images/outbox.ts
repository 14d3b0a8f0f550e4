// The reaction that turns new images into sizes to be made: rows first, jobs from rows.
import { sql } from 'kysely'
import type { Projection } from '../../projections/projection.ts'

/**
 * Has a checkpoint like a projection and owns no table that a rebuild could drop: the same file is
 * scaled once, however many products show it.
 */
export const imageOutbox: Projection = {
  name: 'imageOutbox',
  version: 1,
  tables: [],
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
