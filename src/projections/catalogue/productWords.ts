// Every word that products have or had, for searches to be corrected by. They come from events and
// not from rows, so that they are the same however the events are cut into batches.
import { sql } from 'kysely'
import type { ReadModel } from '../core/readModel.ts'
import { type SelectedOf, text } from '../core/table.ts'

const table = { name: 'product_words', columns: { word: text } } as const

declare module '../core/tables.ts' {
  interface Tables {
    product_words: SelectedOf<typeof table>
  }
}

export const productWords: ReadModel = {
  tables: [table],
  on: ['ProductCreated', 'ProductDetailsChanged'],
  async plan(events, db) {
    const texts = events.flatMap(({ data }) =>
      'description' in data ? [`${data.name} ${data.description}`] : [],
    )
    const insert = sql`
      insert into product_words (word)
      select distinct word
      from unnest(${texts}::text[]) as t (text), public.spelled_words(text) as word
      on conflict do nothing
    `
    return { writes: [insert.compile(db)] }
  },
}
