// The version of what listings show, by which caches know that the signal of a change was lost.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Tables } from '../core/tables.ts'

/** The version of the listings that are committed. */
export async function listingVersion(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ version: string }>`
    select version from shop.listing_version
  `.execute(db)
  return rows[0]?.version ?? ''
}

/** Gives the listings another version; a rebuild beside them changes nothing that is shown. */
export function newListingVersion(db: Kysely<Tables>): CompiledQuery {
  return sql`
    update shop.listing_version set version = gen_random_uuid()
    where current_schema() = 'readmodel'
  `.compile(db)
}
