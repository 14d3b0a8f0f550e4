// What can go wrong in the simulated world. To add a fault: write a `Fault` (a value of one of the
// two kinds below) and put it into the list of its file; `npm run simulate -- --faults NAME` then
// tries it alone, and each run of the simulator picks it at random. Everything that a fault decides
// it draws from the random numbers that it is given: a seed has to reproduce it.
import type { Random } from '../support/random.ts'
import { callFaults } from './callFaults.ts'
import { timedFaults } from './timedFaults.ts'
import type { SimulatedNode } from './world.ts'

/** What a call is for. `request` comes from a client, `callback` from the payment provider. */
export type CallKind =
  | 'append'
  | 'read'
  | 'write'
  | 'charge'
  | 'cancel'
  | 'refund'
  | 'request'
  | 'callback'

/** Something that crosses the network. */
export interface Call {
  /** Whose call it is; of requests and callbacks the node that is asked. */
  node: SimulatedNode
  kind: CallKind
  /** What it is about, for the record: a statement, a payment, a command. */
  key: string
  /** Of appends: the answer to one that comes too late. */
  conflict?: (() => unknown) | undefined
}

/** A call that a fault has met. */
export interface StruckCall extends Call {
  /** Has it done, once more each time: at the moment at which it is called. */
  carryOut(): Promise<unknown>
  random: Random
}

/** A fault of single calls. */
export interface CallFault {
  /** In lower case with dashes, as in `--faults`. */
  name: string
  /** What happens, in one sentence. */
  what: string
  /** How many of the calls that it can meet it strikes, from 0 to 1. */
  share: number
  meets(call: Call): boolean
  /**
   * Takes the place of the call: what it gives is the answer, what it throws is what the caller
   * gets (`unavailable()` for a lost connection), and what never ends is never answered.
   */
  strike(call: StruckCall, world: FaultyWorld): Promise<unknown>
}

/** A fault that comes at random moments, whatever is called. */
export interface TimedFault {
  name: string
  what: string
  /** How often in one run at most. */
  perRun: number
  strike(world: FaultyWorld, random: Random): void | Promise<void>
}

export type Fault = CallFault | TimedFault

/** What faults can do to the world. Times are in virtual milliseconds. */
export interface FaultyWorld {
  nodes: readonly SimulatedNode[]
  now(): number
  sleep(ms: number): Promise<void>
  /** Ends a node's process at once; it is started again, with empty caches, after so long. */
  kill(node: SimulatedNode, downMs: number): void
  /** A node stands still for so long, and does not know it. */
  pause(node: SimulatedNode, ms: number): void
  /** Puts a node's clock forwards or backwards. */
  jumpClock(node: SimulatedNode, ms: number): void
  /** Every call that `cut` gives an error for fails with it until `ms` have passed. */
  disturb(ms: number, cut: (call: Call) => Error | undefined): void
  /** The event store, for what another release writes into it. */
  log: {
    /** Names of the streams that there are, in the order in which they were begun. */
    streams(): readonly string[]
    append(stream: string, event: { type: string; data: object; version: number }): void
  }
  /** Ends what the database has not committed, as a crash of its server does. */
  crashDatabase(): void
}

/** Every fault that the simulator knows. */
export const faults: readonly Fault[] = [...callFaults, ...timedFaults]
