// The commands that a stream has seen, so that a repeat gets the first answer.

/** Where a command has led to. */
export interface Handled {
  /** Of what was asked for; steps that the shop takes by itself have none. */
  digest: string | undefined
  revision: number
  position: bigint
}

/** The same in half the room: hot streams have thousands of them. Positions are below 2^53. */
interface Kept {
  revision: number
  position: number
  digest?: string
}

/** Repeats come within minutes; this many commands of one stream are remembered for them. */
const commandsMax = 10_000

/**
 * It grows in place: it is what the log has, whichever state is looked at, and copying it for every
 * append would make hot streams slow.
 */
export class HandledCommands {
  readonly #byId = new Map<string, Kept>()

  get(commandId: string): Handled | undefined {
    const kept = this.#byId.get(commandId)
    return kept && opened(kept)
  }

  has(commandId: string): boolean {
    return this.#byId.has(commandId)
  }

  /** Remembers a command, and forgets the oldest one where there are too many. */
  add(commandId: string, { digest, revision, position }: Handled): void {
    const kept: Kept = { revision, position: Number(position) }
    if (digest !== undefined) kept.digest = digest
    this.#byId.set(commandId, kept)
    if (this.#byId.size <= commandsMax) return
    const [oldest] = this.#byId.keys()
    if (oldest !== undefined) this.#byId.delete(oldest)
  }

  get size(): number {
    return this.#byId.size
  }

  /** All of them, the oldest first. */
  *[Symbol.iterator](): Generator<[commandId: string, Handled]> {
    for (const [commandId, kept] of this.#byId) yield [commandId, opened(kept)]
  }
}

function opened({ digest, revision, position }: Kept): Handled {
  return { digest, revision, position: BigInt(position) }
}
