// What a command is: who may ask, what they say, and what happens then.

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

/** What a command that was carried out answers. */
export interface Accepted {
  /** The aggregate that it was about. */
  id: string
  revision: number
  /** Where in the log the command ended: reads that wait for it see its effect. */
  position: Position
  /** The command had been carried out before; this is its first answer. */
  replayed: boolean
  /** What else the caller wants to know. */
  result: Readonly<Record<string, unknown>>
}

export type Answer = Accepted | Rejection

export interface Command<Schema extends TObject> {
  name: string
  /** Who may ask at all; whether they may ask this of this object is decided with its state. */
  roles: readonly Role[] | 'anyone'
  input: Schema
  run(app: App, input: Static<Schema>, envelope: Envelope): Promise<Answer>
}

export interface SingleStreamCommand<
  Schema extends TObject,
  State,
  Event extends DomainEvent,
  Context,
> {
  name: string
  roles: readonly Role[] | 'anyone'
  input: Schema
  repository(app: App): Repository<State, Event>
  /** The aggregate that is meant. */
  id(input: Static<Schema>, envelope: Envelope): string
  /** Whether this actor may do this to this object. Where not, it answers as if it were missing. */
  allowed(actor: Actor, state: State, input: Static<Schema>): boolean
  notFound: RejectionCode
  /** Gathers what the decision needs to know of the rest of the world. */
  load(app: App, input: Static<Schema>, envelope: Envelope): Promise<Context | Rejection>
  decide(state: State, input: Static<Schema>, context: Context): Decision<Event>
  /** It begins a stream: that is read only where there turns out to be something in it. */
  begins?: true
}

/** A command that is decided on one stream. */
export function command<Schema extends TObject, State, Event extends DomainEvent, Context>(
  definition: SingleStreamCommand<Schema, State, Event, Context>,
): Command<Schema> {
  const { name, roles: who, input: schema } = definition
  return {
    name,
    roles: who,
    input: schema,
    async run(app, input, envelope) {
      const id = definition.id(input, envelope)
      const repository = definition.repository(app)
      // Customers' own streams say themselves that they are closed. Together it is one look.
      const isCustomer = Object.is(repository, app.customers)
      const [closed, context] = await Promise.all([
        isCustomer ? undefined : refuseClosed(app, envelope),
        definition.load(app, input, envelope),
      ])
      if (closed !== undefined) return closed
      if (isRejection(context)) return context
      const decide = (state: State) => {
        if (!definition.allowed(envelope.actor, state, input)) {
          return reject(definition.notFound, 'There is no such object.')
        }
        return definition.decide(state, input, context)
      }
      const expectation = definition.begins && 'isNew'
      const outcome = await repository.decide(id, envelope, decide, expectation)
      return isRejection(outcome) ? outcome : accepted(id, outcome)
    },
  }
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

/** Whether an actor has one of the roles; the shop itself may ask for everything. */
export function mayAsk(roles: Command<TObject>['roles'], actor: Actor): boolean {
  if (roles === 'anyone' || actor.role === 'system') return true
  return actor.role !== 'anonymous' && actor.roles.some(role => roles.includes(role))
}

/** Whether an actor has a role, or is the shop itself. */
export function hasRole(actor: Actor, ...wanted: readonly Role[]): boolean {
  return mayAsk(wanted, actor)
}

/** The id of whoever asks; anonymous people have none. */
export function actorId(actor: Actor): string | undefined {
  return actor.role === 'anonymous' ? undefined : actor.id
}
