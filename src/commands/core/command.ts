// What a command is: its roles, its input, and its run.

import type { Static, TObject } from 'typebox'
import type { Decision, DomainEvent } from '../../domain/kernel/aggregate.ts'
import {
  isRejection,
  type Rejection,
  type RejectionCode,
  reject,
} from '../../domain/kernel/rejection.ts'
import type { Actor, Role } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from './app.ts'
import { refuseClosed } from './openAccount.ts'
import type { Repository } from './repositoryTypes.ts'

/** The answer to a command that was carried out. */
export interface Accepted {
  /** The aggregate that it was about. */
  id: string
  revision: number
  /** Where in the log the command ended: reads that wait for it see its effect. */
  position: Position
  /** The command had been carried out before; this is its first answer. */
  replayed: boolean
  /** What else the answer says. */
  result: Readonly<Record<string, unknown>>
}

export type Answer = Accepted | Rejection

export interface Command<Schema extends TObject> {
  name: string
  /** The roles that may give it; whether an actor may change this object depends on its state. */
  roles: readonly Role[] | 'anyone'
  input: Schema
  run(app: App, input: Static<Schema>, envelope: Envelope): Promise<Answer>
}

/** Commands of any input, by context. */
export type Commands = readonly Command<TObject>[]

interface Target<Schema extends TObject, State, Event extends DomainEvent> {
  name: string
  roles: readonly Role[] | 'anyone'
  input: Schema
  repository(app: App): Repository<State, Event>
  /** The aggregate that decides. */
  id(input: Static<Schema>, envelope: Envelope): string
  /** Who may do this to this object; where it is left out, everybody with one of the roles. */
  allowed?(actor: Actor, state: State, input: Static<Schema>): boolean
  /** The answer to those who may not, as if the object did not exist. */
  notFound?: RejectionCode
  /** The stream is expected to be empty: it is read only where it turns out not to be. */
  isNew?: true
}

interface Decider<Schema extends TObject, State, Event extends DomainEvent> {
  load?: undefined
  decide(state: State, input: Static<Schema>): Decision<Event>
}

interface LoadingDecider<Schema extends TObject, State, Event extends DomainEvent, Context> {
  /** Loads what the decision needs of other aggregates, in one round trip. */
  load(app: App, input: Static<Schema>, envelope: Envelope): Promise<Context | Rejection>
  decide(state: State, input: Static<Schema>, context: Context): Decision<Event>
}

/**
 * A command that one aggregate decides. Its input has been validated at the edge; `execute` checks
 * the roles. Then: load → authorise → decide → append → answer.
 */
export function command<Schema extends TObject, State, Event extends DomainEvent, Context>(
  definition: Target<Schema, State, Event> & LoadingDecider<Schema, State, Event, Context>,
): Command<Schema>
export function command<Schema extends TObject, State, Event extends DomainEvent>(
  definition: Target<Schema, State, Event> & Decider<Schema, State, Event>,
): Command<Schema>
export function command<Schema extends TObject, State, Event extends DomainEvent, Context>(
  definition: Target<Schema, State, Event> &
    (Decider<Schema, State, Event> | LoadingDecider<Schema, State, Event, Context>),
): Command<Schema> {
  const { name, roles, input: schema, allowed, notFound = 'command/forbidden' } = definition
  return {
    name,
    roles,
    input: schema,
    async run(app, input, envelope) {
      const id = definition.id(input, envelope)
      const repository = definition.repository(app)
      // The stream of a customer says itself that the account is closed.
      const isCustomer = Object.is(repository, app.customers)
      const [closed, decide] = await Promise.all([
        isCustomer ? undefined : refuseClosed(app, envelope),
        load(definition, app, { input, envelope }),
      ])
      if (closed !== undefined) return closed
      if (isRejection(decide)) return decide
      const authorised = (state: State) =>
        allowed?.(envelope.actor, state, input) === false
          ? reject(notFound, 'There is no such object.')
          : decide(state)
      const outcome = await repository.decide(id, envelope, authorised, {
        isNew: definition.isNew ?? false,
      })
      return isRejection(outcome) ? outcome : accepted(id, outcome)
    },
  }
}

/** Loads what a decision needs, and answers the decision. */
async function load<Schema extends TObject, State, Event extends DomainEvent, Context>(
  definition: Decider<Schema, State, Event> | LoadingDecider<Schema, State, Event, Context>,
  app: App,
  { input, envelope }: { input: Static<Schema>; envelope: Envelope },
): Promise<((state: State) => Decision<Event>) | Rejection> {
  if (definition.load === undefined) return state => definition.decide(state, input)
  const context = await definition.load(app, input, envelope)
  return isRejection(context) ? context : state => definition.decide(state, input, context)
}

/** What a repository answered, as the answer of a command. */
export function accepted(
  id: string,
  done: { revision: number; position: Position; replayed: boolean },
  result: Accepted['result'] = {},
): Accepted {
  return { id, revision: done.revision, position: done.position, replayed: done.replayed, result }
}

/** Runs a command for an actor; a role that may not ask is refused before anything is loaded. */
export async function execute<Schema extends TObject>(
  app: App,
  asked: Command<Schema>,
  input: Static<Schema>,
  envelope: Envelope,
): Promise<Answer> {
  if (!mayAsk(asked.roles, envelope.actor)) {
    return reject('command/forbidden', `${asked.name} needs one of the roles ${asked.roles}.`)
  }
  return asked.run(app, input, envelope)
}

/** Whether an actor has one of the roles; the application itself has all of them. */
export function mayAsk(roles: Command<TObject>['roles'], actor: Actor): boolean {
  if (roles === 'anyone' || actor.role === 'system') return true
  return actor.role !== 'anonymous' && actor.roles.some(role => roles.includes(role))
}

/** Whether an actor has one of some roles, or is the application itself. */
export function hasRole(actor: Actor, ...roles: readonly Role[]): boolean {
  return mayAsk(roles, actor)
}

/** The id of an actor; anonymous ones have none. */
export function actorId(actor: Actor): string | undefined {
  return actor.role === 'anonymous' ? undefined : actor.id
}
