// What an aggregate is: a stream category, its events as schemas, and a fold.
import type { Static, TObject } from 'typebox'
import type { Rejection } from './rejection.ts'

export type EventSchemas = Record<string, TObject>

/** The union of the events that a table of schemas describes. */
export type EventOf<Schemas extends EventSchemas> = {
  [Type in keyof Schemas & string]: { type: Type; data: Static<Schemas[Type]> }
}[keyof Schemas & string]

export interface DomainEvent {
  type: string
  data: object
}

export interface Aggregate<State, Event extends DomainEvent> {
  /** The stream of an instance is `<category>-<id>`. */
  category: string
  events: EventSchemas
  initial: State
  /** Events are facts: evolve takes every one of them and never refuses. */
  evolve: (state: State, event: Event) => State
  /** Whom its events are about whose payloads name `ownerOfStream` as their subject. */
  owner?: (state: State) => string | undefined
  /** How its state is written down, where streams get so long that reading them takes seconds. */
  snapshot?: SnapshotForm<State>
}

/** The union of the events of some aggregates. */
export type EventsOf<Aggregates> = {
  [Name in keyof Aggregates]: Aggregates[Name] extends Aggregate<infer _, infer Event>
    ? Event
    : never
}[keyof Aggregates]

export interface SnapshotForm<State> {
  /** Another one where the form, the state or `evolve` is another: older ones are not read then. */
  version: number
  /** The state as JSON. */
  write: (state: State) => object
  /** The state again; undefined where what was written is not of this form. */
  read: (written: unknown) => State | undefined
}

/** What a decision answers: the events to record (none when it is done already) or a refusal. */
export type Decision<Event extends DomainEvent> = readonly Event[] | Rejection

/** Folds events over a state. */
export function fold<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  events: Iterable<Event>,
  from: State = aggregate.initial,
): State {
  let state = from
  for (const event of events) state = aggregate.evolve(state, event)
  return state
}
