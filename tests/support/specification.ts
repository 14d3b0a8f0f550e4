// Given events, when something is decided, then these events follow: how the domain is specified.
import { Value } from 'typebox/value'
import { expect } from 'vitest'
import {
  type Aggregate,
  type Decision,
  type DomainEvent,
  type EventSchemas,
  fold,
} from '../../src/domain/kernel/aggregate.ts'
import type { RejectionCode } from '../../src/domain/kernel/rejection.ts'

export interface Verdict<Event extends DomainEvent> {
  /** Exactly these events are decided, and each fits its schema. */
  then(events: readonly Event[]): void
  /** It is done already: no event, no refusal. */
  thenNothing(): void
  /** It is refused with this code; `extra` has to be in what helps the caller. */
  thenRejected(code: RejectionCode, extra?: Readonly<Record<string, unknown>>): void
}

export interface Situation<State, Event extends DomainEvent> {
  /** What the events have led to. */
  state: State
  when(decide: (state: State) => Decision<Event>): Verdict<Event>
}

/** The situations of one kind of aggregate: `given(stock)(received, reserved).when(…).then(…)`. */
export function given<State, Event extends DomainEvent>(aggregate: Aggregate<State, Event>) {
  return (...events: readonly Event[]): Situation<State, Event> => {
    for (const event of events) expectToFit(aggregate, event)
    const state = fold(aggregate, events)
    return { state, when: decide => verdict(aggregate, decide(state)) }
  }
}

function verdict<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  decision: Decision<Event>,
): Verdict<Event> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: given, when, then; nobody awaits a verdict.
    then(events) {
      expect(decision).toEqual(events)
      for (const event of events) expectToFit(aggregate, event)
    },
    thenNothing: () => expect(decision).toEqual([]),
    thenRejected(code, extra) {
      expect(decision).toMatchObject({ rejected: code, detail: expect.stringMatching(/\S/) })
      if (extra !== undefined) expect(decision).toMatchObject({ extra })
    },
  }
}

/** What a specification speaks of can be written to the log. */
function expectToFit(aggregate: { events: EventSchemas }, event: DomainEvent) {
  const schema = aggregate.events[event.type]
  if (schema === undefined) throw new Error(`${event.type} is not an event of this aggregate`)
  expect([...Value.Errors(schema, event.data)], event.type).toEqual([])
}
