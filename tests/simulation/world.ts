// The simulated world: nodes that die, stand still and are started again, and the calls between
// them and the services around them, each of which a fault may meet.
import type { Random } from '../support/random.ts'
import { delayOf, drawFor, hashOf } from './draws.ts'
import type { Call, CallFault, CallKind, Fault, FaultyWorld, TimedFault } from './faults.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** A machine on which one process of the shop runs at a time. */
export interface SimulatedNode {
  name: string
  kind: 'api' | 'worker'
  /** The process that runs on it now; undefined while it is down. */
  process: Process | undefined
  clockOffsetMs: number
  /** It runs a release that writes events in their older form. */
  isOldRelease: boolean
  /** Starts a process anew. */
  start(process: Process): void
}

/** One life of a node. */
export interface Process extends Owner {
  node: SimulatedNode
  /** When it began to stand still for the last time. */
  pausedSince: number
}

export interface WorldOptions {
  seed: number
  scheduler: Scheduler
  /** The faults of this run. */
  faults: readonly Fault[]
  /** By how much their shares are multiplied. */
  intensity: number
  /** The only strikes, as `struck` names them, where not all are wanted. */
  only: ReadonlySet<string> | undefined
  /** The services that faults reach into. */
  services: Pick<FaultyWorld, 'log' | 'crashDatabase'>
}

/** A call as it is asked for: of a process the node need not be said. */
type Asked = Omit<Call, 'node'> & { node?: SimulatedNode | undefined }

export interface World {
  scheduler: Scheduler
  readonly nodes: readonly SimulatedNode[]
  faulty: FaultyWorld
  /** Whether faults strike now. */
  isFaulty: boolean
  /** Each time that a fault has struck, as a name that is the same in each run of the seed. */
  readonly struck: readonly string[]
  addNode(node: Pick<SimulatedNode, 'name' | 'kind' | 'start'>): SimulatedNode
  /** A call of a process, or of the world around when there is none, to a service. */
  call<T>(from: Process | undefined, call: Asked, carryOut: () => T | Promise<T>): Promise<T>
  /** From now on faults strike, those of single moments within a stretch of time. */
  goWrong(withinMs: number): void
  /** A number for all that has happened, the same for the same run. */
  trace(): number
  note(text: string): void
}

const isTimed = (fault: Fault): fault is TimedFault => 'perRun' in fault

export function createWorld(options: WorldOptions): World {
  return new SimulatedWorld(options)
}

class SimulatedWorld implements World {
  readonly scheduler: Scheduler
  readonly nodes: SimulatedNode[] = []
  readonly faulty: FaultyWorld
  readonly struck: string[] = []
  isFaulty = false
  readonly #options: WorldOptions
  readonly #callFaults: readonly CallFault[]
  readonly #counts = new Map<string, number>()
  readonly #disturbances = new Set<(call: Call) => Error | undefined>()
  #trace = hashOf('')

  constructor(options: WorldOptions) {
    this.#options = options
    this.scheduler = options.scheduler
    this.#callFaults = options.faults.filter((fault): fault is CallFault => !isTimed(fault))
    const { now, sleep } = this.scheduler
    this.faulty = {
      ...options.services,
      nodes: this.nodes,
      now,
      sleep,
      kill: (node, downMs) => this.#kill(node, downMs),
      pause: (node, ms) => this.#pause(node, ms),
      jumpClock: (node, ms) => {
        this.note(`the clock of ${node.name} jumps by ${ms} ms`)
        node.clockOffsetMs += ms
      },
      disturb: (ms, cut) => {
        this.#disturbances.add(cut)
        this.scheduler.after(ms, undefined, () => void this.#disturbances.delete(cut))
      },
    }
  }

  addNode(wanted: Pick<SimulatedNode, 'name' | 'kind' | 'start'>): SimulatedNode {
    const node = { ...wanted, process: undefined, clockOffsetMs: 0, isOldRelease: false }
    this.nodes.push(node)
    this.#start(node)
    return node
  }

  #start(node: SimulatedNode): void {
    const process: Process = { node, isDead: false, pausedUntil: 0, pausedSince: 0 }
    node.process = process
    this.scheduler.after(0, process, () => node.start(process))
  }

  #kill(node: SimulatedNode, downMs: number): void {
    if (node.process === undefined) return
    this.note(`${node.name} dies`)
    node.process.isDead = true
    node.process = undefined
    this.scheduler.after(downMs, undefined, () => this.#start(node))
  }

  #pause(node: SimulatedNode, ms: number): void {
    if (node.process === undefined) return
    this.note(`${node.name} stands still for ${ms} ms`)
    node.process.pausedSince = this.scheduler.now()
    node.process.pausedUntil = this.scheduler.now() + ms
  }

  async call<T>(
    from: Process | undefined,
    { kind, key, conflict, node = from?.node }: Asked,
    carryOut: () => T | Promise<T>,
  ): Promise<T> {
    if (node === undefined) throw new Error('a call needs a node')
    if (from?.isDead) return new Promise(() => undefined)
    const name = this.#nameOf({ node: node.name, kind, key })
    const random = drawFor(this.#options.seed, name)
    const call = { node, kind, key, conflict }
    const fault = this.#faultFor(call, name, random)
    const strike = (met: CallFault) =>
      met.strike({ ...call, random, carryOut: async () => carryOut() }, this.faulty) as Promise<T>
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void) => {
        this.note(name)
        this.scheduler.after(delayOf(random), from, settle)
        return 'quiet'
      }
      const arrive = () => {
        const cut = firstOf(this.#disturbances, call)
        if (cut !== undefined) return answer(() => reject(cut))
        const outcome = fault === undefined ? attempt(carryOut) : strike(fault)
        if (!(outcome instanceof Promise)) {
          const { error, value } = outcome
          return answer(() => (error === undefined ? resolve(value as T) : reject(error)))
        }
        outcome.then(
          value => answer(() => resolve(value)),
          error => answer(() => reject(error)),
        )
        return undefined
      }
      this.scheduler.after(delayOf(random), undefined, arrive)
    })
  }

  /** The name of a call: its node, what it is, and how many of the same were before it. */
  #nameOf({ node, kind, key }: { node: string; kind: CallKind; key: string }): string {
    const what = `${kind} ${key} by ${node}`
    const nth = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, nth)
    return `${what}, ${nth}`
  }

  #faultFor(call: Call, name: string, random: Random): CallFault | undefined {
    if (!this.isFaulty) return undefined
    const { intensity, only } = this.#options
    for (const fault of this.#callFaults) {
      if (!fault.meets(call) || random.next() >= fault.share * intensity) continue
      const strike = `${fault.name}: ${name}`
      if (only?.has(strike) === false) continue
      this.struck.push(strike)
      return fault
    }
    return undefined
  }

  goWrong(withinMs: number): void {
    const { seed, faults, intensity } = this.#options
    this.isFaulty = true
    for (const fault of faults.filter(isTimed)) {
      const random = drawFor(seed, `when ${fault.name}`)
      const times = random.between(0, Math.max(1, Math.round(fault.perRun * intensity)))
      for (let nth = 1; nth <= times; nth += 1) {
        this.#plan(fault, random.next() * withinMs, `${fault.name}: the ${nth}. time`)
      }
    }
  }

  #plan(fault: TimedFault, atMs: number, strike: string): void {
    const { seed, only } = this.#options
    if (only?.has(strike) === false) return
    this.scheduler.after(atMs, undefined, () => {
      this.note(strike)
      this.struck.push(strike)
      void fault.strike(this.faulty, drawFor(seed, strike))
    })
  }

  trace(): number {
    return this.#trace
  }

  note(text: string): void {
    this.#trace = hashOf(`${this.scheduler.now()} ${text}`, this.#trace)
  }
}

function firstOf(disturbances: Iterable<(call: Call) => Error | undefined>, call: Call) {
  for (const cut of disturbances) {
    const error = cut(call)
    if (error !== undefined) return error
  }
  return undefined
}

/** What a service answers at once, or that it has thrown. */
function attempt<T>(carryOut: () => T | Promise<T>): Promise<T> | { value?: T; error?: unknown } {
  try {
    const value = carryOut()
    return value instanceof Promise ? value : { value }
  } catch (error) {
    return { error }
  }
}
