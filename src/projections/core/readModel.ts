// Read models: tables and the handlers, by type of event, that write to them. The keys of the
// handlers are the events that a projection reads.

import type { Kysely } from 'kysely'
import type { Aggregate, DomainEvent } from '../../domain/kernel/aggregate.ts'
import { type EventOf, type EventType, isEventType, type ReadEvent } from './events.ts'
import { fold, insertOf, type Step } from './keyedTable.ts'
import type { Plan } from './plan.ts'
import type { Signal } from './signals.ts'
import type { AnyTable, KeyedTable, Table } from './table.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** What a projection consists of. */
export interface ReadModel {
  tables: readonly AnyTable[]
  on: readonly EventType[]
  signals?: readonly Signal[]
  /** Rows are only ever added and never looked up. */
  onlyAdds?: boolean
  /** What a batch changes; the events are of the types in `on`. */
  plan(events: readonly ReadEvent[], db: Db): Promise<Plan>
}

// Declared as methods, so that handlers of one type can be called with any event.
type Creation<Row, Type extends EventType> = {
  create(event: EventOf<Type>): Row | undefined
}['create']
type Change<Row, Type extends EventType> = {
  change(row: Row, event: EventOf<Type>): Partial<Row>
}['change']
type Addition<Row, Type extends EventType> = { add(event: EventOf<Type>): Row }['add']

/** Handlers that change a row, one for each of some types of event. */
export type Changes<Row, Type extends EventType> = { [Each in Type]: Change<Row, Each> }

interface Keyed<Row, Type extends EventType> {
  /** The row that an event is about; undefined for none. */
  keyOf(event: EventOf<Type>): string | undefined
  /** The row to change where there is none. */
  missing?(event: EventOf<Type>): Row | undefined
  /** Completes a row after each event; undefined removes it. */
  finish?(row: Row, event: EventOf<Type>, before: Row | undefined): Row | undefined
  /** What follows from the changes of rows. */
  derived?: {
    tables?: readonly AnyTable[]
    signals: readonly Signal[]
    plan(steps: readonly Step<Row>[], db: Db): Plan
  }
}

interface KeyedModel<Row, Created extends EventType, Changed extends EventType>
  extends Keyed<Row, Created | Changed> {
  /** Events that make a row, whatever was there. */
  creates: { [Each in Created]: Creation<Row, Each> }
  /** What other events change in a row. */
  changes: Changes<Row, Changed>
}

/** One row a key, changed by handlers. */
export function keyedModel<
  Row extends object,
  Created extends EventType,
  Changed extends EventType,
>(table: KeyedTable<Row>, model: KeyedModel<NoInfer<Row>, Created, Changed>): ReadModel {
  const creates: Readonly<Record<string, Creation<Row, EventType>>> = model.creates
  const changes: Readonly<Record<string, Change<Row, EventType>>> = model.changes
  const { keyOf, missing, finish, derived }: Keyed<Row, EventType> = model
  const changed = (row: Row | undefined, event: ReadEvent) =>
    row && { ...row, ...changes[event.type]?.(row, event) }
  const evolve = (before: Row | undefined, event: ReadEvent) => {
    const create = creates[event.type]
    const row = create ? create(event) : changed(before ?? missing?.(event), event)
    return row && finish ? finish(row, event, before) : row
  }
  return {
    tables: [table, ...(derived?.tables ?? [])],
    on: [...typesIn(creates), ...typesIn(changes)],
    signals: derived?.signals ?? [],
    async plan(events, db) {
      const isCreation = ({ type }: ReadEvent) => type in creates
      const { writes, steps } = await fold(db, table, events, { keyOf, isCreation, evolve })
      const more = derived?.plan(steps, db) ?? { writes: [] }
      return { ...more, writes: [...writes, ...more.writes] }
    },
  }
}

interface StateModel<Row, State, Event> {
  keyOf(event: Event): string
  /** The state of the aggregate, as far as its fold needs it. */
  stateOf(row: Row): State
  rowOf(state: State, event: ReadEvent & Event, before: Row | undefined): Row | undefined
}

/** One row an aggregate, folded with the same code as its decisions. */
export function aggregateModel<Row extends object, State, Event extends DomainEvent>(
  table: KeyedTable<Row>,
  aggregate: Aggregate<State, Event>,
  { keyOf, stateOf, rowOf }: StateModel<NoInfer<Row>, NoInfer<State>, Event>,
): ReadModel {
  const isOwn = (event: ReadEvent): event is ReadEvent & Event => event.type in aggregate.events
  return {
    tables: [table],
    on: typesIn(aggregate.events),
    async plan(events, db) {
      const { writes } = await fold(db, table, events, {
        keyOf: event => (isOwn(event) ? keyOf(event) : undefined),
        evolve(row, event) {
          if (!isOwn(event)) return row
          const before = row === undefined ? aggregate.initial : stateOf(row)
          return rowOf(aggregate.evolve(before, event), event, row)
        },
      })
      return { writes }
    },
  }
}

/** A table that grows by a row an event. */
export function appendedModel<Row extends object, Type extends EventType>(
  table: Table<Row>,
  handlers: { [Each in Type]: Addition<NoInfer<Row>, Each> },
): ReadModel {
  const on: Readonly<Record<string, Addition<Row, EventType>>> = handlers
  return {
    tables: [table],
    on: typesIn(on),
    onlyAdds: true,
    async plan(events) {
      const rows = events.flatMap(event => on[event.type]?.(event) ?? [])
      return { writes: insertOf(table, rows) }
    },
  }
}

/** The types of event that a table of handlers is for. */
export function typesIn(handlers: object): EventType[] {
  return Object.keys(handlers).filter(isEventType)
}
