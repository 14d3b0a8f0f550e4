// Where events are in the log, by what auditors look for: stream, type, who, trace, time. Of every
// event, also of those that this release cannot read.
import type { EventHeader } from '../../ports/codec.ts'
import { defineHeaderProjection } from '../core/items.ts'
import { insertOf } from '../core/keyedTable.ts'
import { bigint, position, type RowOf, type SelectedOf, text, time } from '../core/table.ts'

const table = {
  name: 'event_index',
  columns: {
    position,
    stream: text,
    revision: bigint,
    type: text,
    actor: text,
    correlation_id: text,
    at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    event_index: SelectedOf<typeof table>
  }
}

export const eventIndex = defineHeaderProjection({
  name: 'eventIndex',
  version: 2,
  table,
  async planHeaders(headers) {
    return { writes: insertOf(table, headers.map(rowOf)) }
  },
})

function rowOf({ position, correlationId, ...rest }: EventHeader): RowOf<typeof table> {
  return { position: String(position), ...rest, correlation_id: correlationId }
}
