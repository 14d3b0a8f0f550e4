// What holds for every aggregate: checked on random walks of its real decisions.
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { describe, expect, it } from 'vitest'
import {
  type Aggregate,
  type Decision,
  type DomainEvent,
  fold,
} from '../../src/domain/kernel/aggregate.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { valuesOf } from './arbitrary.ts'
import { forAll } from './property.ts'

/** One question to an aggregate, with what it was asked in sight for the report of a failure. */
export interface Ask<State, Event extends DomainEvent> {
  asked: string
  input: unknown
  decide(state: State): Decision<Event>
  /** Asking again means it again: adding an item, booking stock. */
  addsUp?: boolean
}

export interface Model<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  /** Ids come from here, so that they meet. */
  ids: readonly string[]
  asks: fc.Arbitrary<Ask<State, Event>>
  /** What has happened before the walk begins. */
  begin?: fc.Arbitrary<readonly Event[]>
  /** What holds at every step; throws where it does not. */
  invariant(state: State, events: readonly Event[]): void
  /** What has been settled for good: each fact that holds once holds ever after. */
  settled(state: State): readonly string[]
}

interface Step<State, Event extends DomainEvent> {
  ask: Ask<State, Event>
  before: State
  decided: readonly Event[]
  after: State
  events: readonly Event[]
}

interface Walk<State, Event extends DomainEvent> {
  begin: readonly Event[]
  asks: Ask<State, Event>[]
}

/** Declares the properties of one aggregate as tests. */
export function aggregateProperties<State, Event extends DomainEvent>(
  name: string,
  model: Model<State, Event>,
) {
  const walks = walksOf(model)
  const walkAll = (check: (step: Step<State, Event>) => void) =>
    forAll(walks, walk => {
      for (const step of stepsOf(model, walk)) check(step)
    })

  describe(`${name}, asked anything in any order`, () => {
    it('decides without throwing, and only what fits its schemas', () => walkAll(fits(model)))

    it('conserves what it counts, at every step', () =>
      walkAll(({ after, events }) => model.invariant(after, events)))

    it('adds nothing when it is asked the same again', () =>
      walkAll(({ ask, after }) => {
        if (ask.addsUp === true) return
        const again = ask.decide(after)
        if (!isRejection(again) && again.length > 0) throw new Error(`again ${again[0]?.type}`)
      }))

    it('keeps what is settled', () =>
      walkAll(({ before, after }) => {
        const kept = new Set(model.settled(after))
        const lost = model.settled(before).filter(fact => !kept.has(fact))
        if (lost.length > 0) throw new Error(`no longer settled: ${lost.join(', ')}`)
      }))

    it('reaches every kind of event that it has', () => {
      const missing = new Set(Object.keys(model.aggregate.events))
      for (let seed = 1; seed <= 20 && missing.size > 0; seed += 1) {
        for (const walk of fc.sample(walks, { seed, numRuns: 100 })) {
          for (const { decided } of stepsOf(model, walk)) {
            for (const { type } of decided) missing.delete(type)
          }
        }
      }
      expect([...missing]).toEqual([])
    })
  })

  describe(`the fold of ${name}`, () => {
    it('takes every sequence of events, and takes it in parts as in one', () =>
      forAll(anyEvents(model), ([events, cut]) => {
        const { aggregate } = model
        const whole = fold(aggregate, events)
        const parts = fold(aggregate, events.slice(cut), fold(aggregate, events.slice(0, cut)))
        expect(parts).toEqual(whole)
      }))
  })
}

function walksOf<State, Event extends DomainEvent>(
  model: Model<State, Event>,
): fc.Arbitrary<Walk<State, Event>> {
  const begin = model.begin ?? fc.constant<readonly Event[]>([])
  return fc.record({ begin, asks: fc.array(model.asks, { maxLength: 20, size: 'max' }) })
}

function* stepsOf<State, Event extends DomainEvent>(
  { aggregate }: Model<State, Event>,
  { begin, asks }: Walk<State, Event>,
): Generator<Step<State, Event>> {
  let events = begin
  let before = fold(aggregate, begin)
  for (const ask of asks) {
    const decision = ask.decide(before)
    const decided = isRejection(decision) ? [] : decision
    const after = fold(aggregate, decided, before)
    events = [...events, ...decided]
    yield { ask, before, decided, after, events }
    before = after
  }
}

function fits<State, Event extends DomainEvent>({ aggregate }: Model<State, Event>) {
  const schemas = Object.entries(aggregate.events)
  const compiled = new Map(schemas.map(([type, schema]) => [type, Compile(schema)]))
  return ({ decided }: Step<State, Event>) => {
    for (const event of decided) {
      const fit = compiled.get(event.type)?.Check(event.data)
      if (fit !== true) throw new Error(`${event.type} does not fit its schema`)
    }
  }
}

/** Any events of the aggregate in any order, also those that no decision would ever lead to. */
function anyEvents<State, Event extends DomainEvent>({ aggregate, ids }: Model<State, Event>) {
  const events = Object.entries(aggregate.events).map(([type, schema]) =>
    valuesOf(schema, { ids }).map(data => ({ type, data }) as unknown as Event),
  )
  return fc.tuple(fc.array(fc.oneof(...events), { maxLength: 12, size: 'max' }), fc.nat(12))
}
