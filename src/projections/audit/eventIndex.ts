// Where events are in the log, by what auditors look for: stream, type, who, trace, time. Of every
// event, also of those that this release cannot read.
import { defineHeaderProjection } from '../core/items.ts'
import { insertOf } from '../core/keyedTable.ts'
import type { EventHeader } from '../core/projection.ts'

interface IndexRow {
  position: string
  stream: string
  revision: number
  type: string
  actor: string
  correlation_id: string
  at: string
}

const eventIndexTable = {
  name: 'event_index',
  columns: {
    position: 'bigint',
    stream: 'text',
    revision: 'bigint',
    type: 'text',
    actor: 'text',
    correlation_id: 'text',
    at: 'timestamptz',
  },
}

export const eventIndex = defineHeaderProjection({
  name: 'eventIndex',
  version: 2,
  tables: ['event_index'],
  onlyAdds: true,
  async planHeaders(headers) {
    return { writes: insertOf(eventIndexTable, headers.map(rowOf)) }
  },
})

function rowOf({ position, correlationId, ...rest }: EventHeader): IndexRow {
  return { position: String(position), ...rest, correlation_id: correlationId }
}
