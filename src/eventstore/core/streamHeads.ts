// Heads of streams, learned from the end of the log: most reads ask whether a stream has new
// events, and one read of what was appended since the last time answers that for all streams.
import type { Position } from '../../kit/position.ts'
import { createSingleFlight } from '../../kit/singleFlight.ts'

/** The last known event of a stream, -1 for none. */
export interface StreamHead {
  stream: string
  revision: number
}

/** What was appended since a position. */
export interface Tail {
  heads: readonly StreamHead[]
  /** How far the log was read. */
  upTo: Position
}

/** How a store reads the end of its log. */
export interface TailSource {
  /** A position up to which reads that begin now see everything. */
  newest(): Promise<Position>
  /**
   * Undefined where too much was appended, or where the log has no event at `after` any more: a log
   * that was cut off would seem to have nothing new for long.
   */
  tailAfter(after: Position, known: Iterable<string>): Promise<Tail | undefined>
  /** Whether the end of the log says anything about a stream; by default it does. */
  covers?(stream: string): boolean
  /** A read of the tail that takes longer is not repeated: the next one would take as long. */
  slowMs?: number
}

export interface StreamHeads {
  /** Whether by now a stream has nothing after this revision; also false where it is not known. */
  isAtHead(stream: string, revision: number): Promise<boolean>
  /**
   * Learns of an append of this process, so that it is not read again; `after` is the position of
   * the event before its first one, where that is known.
   */
  appended(written: StreamHead & { position: Position; after?: Position }): void
  /** Begins a read of streams to their ends; the function takes the heads that it found. */
  begin(): Promise<(found: Iterable<StreamHead>) => void>
}

const streamsMax = 20_000

/** Follows the heads of streams. */
export function followStreamHeads(source: TailSource): StreamHeads {
  return new FollowedHeads(source)
}

/**
 * Everything up to `seen` is known: a stream in `heads` has no event after its head at or before
 * `seen`.
 */
class FollowedHeads implements StreamHeads {
  readonly #source: TailSource
  readonly #heads = new Map<string, number>()
  readonly #newest: () => Promise<Position>
  readonly #refreshed: () => Promise<boolean>
  #seen: Position | undefined
  /** Counts resets: a read that began before one has found heads that are too old. */
  #epoch = 0

  constructor(source: TailSource) {
    this.#source = source
    this.#newest = createSingleFlight(() => source.newest())
    this.#refreshed = createSingleFlight(() => this.#refresh())
  }

  async isAtHead(stream: string, revision: number): Promise<boolean> {
    const seems = () => this.#isKnownEnd(stream, revision)
    return seems() && (await this.#refreshed()) && seems()
  }

  appended({ position, after, ...head }: StreamHead & { position: Position; after?: Position }) {
    // At or before `seen`, others may have appended after it: only a read tells.
    if (this.#seen === undefined || position <= this.#seen) return
    this.#extend(head)
    if (after === this.#seen) this.#seen = position
    if (this.#heads.size > streamsMax) this.#reset()
  }

  async begin(): Promise<(found: Iterable<StreamHead>) => void> {
    if (this.#heads.size > streamsMax) this.#reset()
    if (this.#seen === undefined) {
      const newest = await this.#newest()
      // Unless another read was quicker: its heads go no further than its own position.
      this.#seen ??= newest
    }
    const began = this.#epoch
    return found => {
      // Appends in between are in `heads` already, and later than those found.
      if (this.#epoch === began) for (const head of found) this.#extend(head)
    }
  }

  #reset(): void {
    this.#heads.clear()
    this.#seen = undefined
    this.#epoch += 1
  }

  #extend({ stream, revision }: StreamHead): void {
    const before = this.#heads.get(stream)
    if (before === undefined || revision > before) this.#heads.set(stream, revision)
  }

  #isKnownEnd(stream: string, revision: number): boolean {
    const head = this.#heads.get(stream)
    if (head === undefined || head > revision) return false
    return this.#source.covers?.(stream) ?? true
  }

  /** Reads what was appended since the last time; false where that is not possible. */
  async #refresh(): Promise<boolean> {
    if (this.#seen === undefined) return false
    const [began, beganAt] = [this.#epoch, performance.now()]
    const tail = await this.#source.tailAfter(this.#seen, this.#heads.keys())
    if (this.#epoch !== began) return false
    for (const head of tail?.heads ?? []) this.#extend(head)
    if (tail !== undefined && tail.upTo > this.#seen) this.#seen = tail.upTo
    const isSlow = performance.now() - beganAt > (this.#source.slowMs ?? Number.POSITIVE_INFINITY)
    if (tail === undefined || isSlow) this.#reset()
    return tail !== undefined
  }
}
