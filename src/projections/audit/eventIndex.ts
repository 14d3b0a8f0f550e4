// Where events are in the log, by what auditors look for: stream, type, who, trace, time. Of every
// event, also of those that this release cannot read.
import { ofPlaces } from '../core/items.ts'
import { insertOf } from '../core/keyedTable.ts'
import type { Place } from '../core/projection.ts'

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

export const eventIndex = ofPlaces({
  name: 'eventIndex',
  version: 2,
  tables: ['event_index'],
  onlyAdds: true,
  async planPlaces(places) {
    return { writes: insertOf(eventIndexTable, places.map(rowOf)), committed: () => ({}) }
  },
})

function rowOf({ position, correlationId, ...rest }: Place): IndexRow {
  return { position: String(position), ...rest, correlation_id: correlationId }
}
