// Where events are in the log, by what auditors look for: stream, type, who, trace, time.
import { eventSchemas, type ShopEvent } from '../domain/events.ts'
import { insertOf } from './keyedTable.ts'
import { planned, type ReadEvent } from './projection.ts'

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

/** Every type of event that there is. */
export const eventTypes: readonly ShopEvent['type'][] = Object.keys(eventSchemas).filter(isType)

function isType(name: string): name is ShopEvent['type'] {
  return name in eventSchemas
}

export const eventIndex = planned({
  name: 'eventIndex',
  version: 1,
  tables: ['event_index'],
  on: eventTypes,
  onlyAdds: true,
  async plan(events) {
    return { writes: insertOf(eventIndexTable, events.map(rowOf)), committed: () => ({}) }
  },
})

function rowOf({ position, stream, revision, type, actor, correlationId, at }: ReadEvent) {
  const row: IndexRow = {
    position: String(position),
    stream,
    revision,
    type,
    actor: actor.role === 'anonymous' ? actor.role : actor.id,
    correlation_id: correlationId,
    at,
  }
  return row
}
