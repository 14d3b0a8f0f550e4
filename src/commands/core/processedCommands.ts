// The commands that a stream has seen, so that a repeat gets the first answer.
import type { Position } from '../../kit/position.ts'

/** Where a command has led to. */
export interface ProcessedCommand {
  /** Of what was asked for; steps that the shop takes by itself have none. */
  digest: string | undefined
  revision: number
  position: Position
}

/** The same in half the room: hot streams have thousands of them. Positions are below 2^53. */
interface CommandRecord {
  revision: number
  position: Position
  digest?: string
}

/** The most commands of one stream whose answers are remembered: repeats come within minutes. */
export const commandsMax = 10_000

/**
 * Older commands of a stream: which ids they may have, and between which revisions they ended. Four
 * bytes each are enough: one in a million others is looked for in the stream in vain.
 */
export interface Archive {
  marks: Uint32Array
  from: number
  to: number
}

/**
 * It grows in place: it is what the log has, whichever state is looked at, and copying it for every
 * append would make hot streams slow.
 */
export class ProcessedCommands {
  readonly #max: number
  readonly #byId = new Map<string, CommandRecord>()
  readonly #archives: Archive[]

  constructor(max = commandsMax, archives: readonly Archive[] = []) {
    this.#max = max
    this.#archives = [...archives]
  }

  /** The answer to a command, where it is remembered. */
  get(commandId: string): ProcessedCommand | undefined {
    const record = this.#byId.get(commandId)
    return record && opened(record)
  }

  /** Remembers a command. Where there are too many, the older half goes to an archive. */
  add(commandId: string, processed: ProcessedCommand): void {
    this.#byId.set(commandId, closed(processed))
    if (this.#byId.size > this.#max) this.#archive(Math.ceil(this.#max / 2))
  }

  #archive(count: number): void {
    const oldest = [...this.#byId].slice(0, count)
    for (const [commandId] of oldest) this.#byId.delete(commandId)
    const revisions = oldest.map(([, { revision }]) => revision)
    this.#archives.push({
      marks: Uint32Array.from(oldest, ([commandId]) => markOf(commandId)).sort(),
      from: Math.min(...revisions),
      to: Math.max(...revisions),
    })
  }

  /** The archives that may have a command whose answer is not remembered; mostly none. */
  archivesOf(commandId: string): readonly Archive[] {
    if (this.#archives.length === 0 || this.#byId.has(commandId)) return []
    const mark = markOf(commandId)
    return this.#archives.filter(({ marks }) => includes(marks, mark))
  }

  get size(): number {
    return this.#byId.size
  }

  get archives(): readonly Archive[] {
    return this.#archives
  }

  /** All that are remembered, the oldest first. */
  *[Symbol.iterator](): Generator<[commandId: string, ProcessedCommand]> {
    for (const [commandId, record] of this.#byId) yield [commandId, opened(record)]
  }
}

function opened({ digest, revision, position }: CommandRecord): ProcessedCommand {
  return { digest, revision, position }
}

function closed({ digest, revision, position }: ProcessedCommand): CommandRecord {
  const record: CommandRecord = { revision, position }
  if (digest !== undefined) record.digest = digest
  return record
}

/** The last 32 bits of a UUID: random in new ones, of a hash in derived ones. */
function markOf(commandId: string): number {
  return Number.parseInt(commandId.slice(-8), 16) >>> 0
}

/** Binary search. */
function includes(sorted: Uint32Array, mark: number): boolean {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) < mark) low = middle + 1
    else high = middle
  }
  return sorted[low] === mark
}
