// How the commands that wait on one stream become one append: nothing but ids comes from outside,
// so that it can be repeated.

import {
  type Aggregate,
  type Decision,
  type DomainEvent,
  fold,
} from '../../domain/kernel/aggregate.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { Fingerprint } from '../../ports/requests.ts'
import { derivedId, newId } from './ids.ts'
import { type ProcessedCommand, ProcessedCommands } from './processedCommands.ts'

export interface Loaded<State> {
  state: State
  /** Revision of the last event, -1 when there is none. */
  revision: number
  /** Position of the last event, `startOfLog` when there is none. */
  position: Position
  /** Of the command that began the stream. */
  correlationId: string | undefined
  processed: ProcessedCommands
}

export interface Done<State> {
  state: State
  revision: number
  position: Position
  /** The command had been handled before; this is where it had led. */
  replayed: boolean
}

export type Outcome<State> = Done<State> | Rejection

/**
 * How a repeat of a command is recognised: by its `key` (the command id, remembered with its
 * result), by the `state`, which shows that it is done, or not at all: `none` has an id of its own.
 */
export type Idempotency = 'key' | 'state' | 'none'

export interface PendingCommand<State, Event extends DomainEvent> {
  envelope: Envelope
  idempotency: Idempotency
  decide(state: State, revision: number): Decision<Event>
  /** The stream is believed to be empty, so that it need not be read first. */
  isNew: boolean
  resolve(outcome: Outcome<State>): void
  reject(error: unknown): void
}

interface Planned<State, Event extends DomainEvent> {
  command: PendingCommand<State, Event>
  outcome: Done<State> | Rejection
  /** Position in the batch of the last event of this command, -1 when it has none. */
  lastEvent: number
}

export interface Plan<State, Event extends DomainEvent> {
  commands: Planned<State, Event>[]
  events: { event: Event; id: string; command: PendingCommand<State, Event> }[]
  state: State
}

export interface Deciding<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  fingerprint: Fingerprint
}

/**
 * Decides the commands of a batch one after the other, each on what the ones before led to.
 * `archived` are those of them that the stream has seen too long ago to remember.
 */
export function planBatch<State, Event extends DomainEvent>(
  { aggregate, fingerprint }: Deciding<State, Event>,
  current: Loaded<State>,
  batch: readonly PendingCommand<State, Event>[],
  archived: ReadonlyMap<string, ProcessedCommand> = new Map(),
): Plan<State, Event> {
  const plan: Plan<State, Event> = { commands: [], events: [], state: current.state }
  const inBatch = batch.length > 1 ? new Map<string, Planned<State, Event>>() : undefined
  for (const command of batch) {
    const { commandId } = command.envelope
    const twin = inBatch?.get(commandId)
    const before = current.processed.get(commandId) ?? archived.get(commandId)
    let outcome: Outcome<State>
    if (isFolded(before, current)) outcome = replay(before, command.envelope, current.state)
    else if (twin !== undefined) outcome = repeat(twin, command.envelope)
    else outcome = decideOne({ aggregate, fingerprint }, { current, plan, command })
    const planned = { command, outcome, lastEvent: plan.events.length - 1 }
    if (twin === undefined) inBatch?.set(commandId, planned)
    plan.commands.push(planned)
  }
  return plan
}

function decideOne<State, Event extends DomainEvent>(
  { aggregate, fingerprint }: Deciding<State, Event>,
  on: { current: Loaded<State>; plan: Plan<State, Event>; command: PendingCommand<State, Event> },
): Outcome<State> {
  const { current, plan, command } = on
  const { commandId, expectedRevision } = command.envelope
  const revision = current.revision + plan.events.length
  const decision = command.decide(plan.state, revision)
  // First of all: an actor who may not see the object must not learn its revision.
  if (isRejection(decision) && isHidden(decision)) return decision
  if (expectedRevision !== undefined && expectedRevision !== revision) {
    return reject('command/stale', `It has changed since: it is at revision ${revision} now.`, {
      currentRevision: revision,
    })
  }
  if (isRejection(decision)) return decision
  decision.forEach((event, index) => {
    // Where the stream has to be empty, the store refuses a repeat whatever its ids are.
    const isUnique = command.idempotency === 'none' || (command.isNew && revision < 0)
    const id = isUnique ? newId() : idOfRepeat(fingerprint, commandId, { event, index })
    plan.events.push({ event, id, command })
  })
  plan.state = fold(aggregate, decision, plan.state)
  return {
    state: plan.state,
    revision: current.revision + plan.events.length,
    position: current.position,
    replayed: false,
  }
}

/** Whether a command is refused because its object is missing, or must seem to be. */
function isHidden({ rejected }: Rejection): boolean {
  return rejected === 'command/forbidden' || rejected.endsWith('/not-found')
}

/**
 * A store takes the same ids again for a repeat. So the content is part of them: were it decided
 * otherwise elsewhere, this process would remember what the log does not have.
 */
function idOfRepeat(
  fingerprint: Fingerprint,
  commandId: string,
  { event, index }: { event: DomainEvent; index: number },
): string {
  return derivedId(commandId, `${index}/${fingerprint(JSON.stringify(event))}`)
}

/**
 * Whether the state has what the command led to. `handled` may be ahead of a state: a faster read
 * of the same stream adds to it.
 */
function isFolded(
  before: ProcessedCommand | undefined,
  current: { revision: number },
): before is ProcessedCommand {
  return before !== undefined && before.revision <= current.revision
}

/** The same command twice in one batch: an impatient client, who gets one answer twice. */
function repeat<State, Event extends DomainEvent>(
  twin: Planned<State, Event>,
  envelope: Envelope,
): Outcome<State> {
  if (twin.command.envelope.digest !== envelope.digest) return keyReused()
  return isRejection(twin.outcome) ? twin.outcome : { ...twin.outcome, replayed: true }
}

function keyReused() {
  return reject('command/key-reused', 'This key was used for another request.')
}

function replay<State>(before: ProcessedCommand, envelope: Envelope, state: State): Outcome<State> {
  if (before.digest !== envelope.digest) return keyReused()
  return { state, revision: before.revision, position: before.position, replayed: true }
}

/** What the stream looks like once a plan has been written. */
export function afterWrite<State, Event extends DomainEvent>(
  current: Loaded<State>,
  plan: Plan<State, Event>,
  position: Position,
): Loaded<State> {
  const { processed } = current
  for (const [index, { command }] of plan.events.entries()) {
    if (command.idempotency !== 'key') continue
    const { commandId, digest } = command.envelope
    processed.add(commandId, { digest, revision: current.revision + 1 + index, position })
  }
  return {
    state: plan.state,
    revision: current.revision + plan.events.length,
    position,
    correlationId: current.correlationId ?? plan.events[0]?.command.envelope.correlationId,
    processed,
  }
}

/** A stream that has no events yet. */
export function emptyStream<State>(
  aggregate: { initial: State },
  commandsMax?: number,
): Loaded<State> {
  return {
    state: aggregate.initial,
    revision: -1,
    position: startOfLog,
    correlationId: undefined,
    processed: new ProcessedCommands(commandsMax),
  }
}
