// Categories by name, made when they are missing.
import { type Kysely, sql } from 'kysely'
import { createCategory } from '../../../commands/catalogue/categories.ts'
import type { App } from '../../../commands/core/app.ts'
import { isRejection } from '../../../domain/kernel/rejection.ts'
import { normalizeName } from '../../../domain/kernel/text.ts'
import type { Envelope } from '../../../ports/envelope.ts'
import type { Tables } from '../../../projections/core/tables.ts'

/** The id of a category, by a name however it is written; undefined where there is none. */
export type FindCategory = (name: string) => Promise<string | undefined>

/** Makes what is missing; the envelope of a category follows from its name. */
export function createShelves(app: App, envelopeFor: (name: string) => Envelope): FindCategory {
  return each(async name => {
    const made = await createCategory.run(app, { name }, envelopeFor(normalizeName(name)))
    if (!isRejection(made)) return made.id
    const owner: unknown = made.extra?.categoryId
    return typeof owner === 'string' ? owner : undefined
  })
}

/** Finds what there is, and makes nothing. */
export function readShelves(db: Kysely<Tables>): FindCategory {
  return each(async name => {
    const { rows } = await sql<{ category_id: string }>`
      select category_id
      from readmodel.categories
      where lower(name) = ${normalizeName(name)} and not deleted
      limit 1
    `.execute(db)
    return rows[0]?.category_id
  })
}

/** Asks once for each name. */
function each(find: FindCategory): FindCategory {
  const known = new Map<string, Promise<string | undefined>>()
  return name => {
    const key = normalizeName(name)
    const found = known.get(key) ?? find(name)
    known.set(key, found)
    return found
  }
}
