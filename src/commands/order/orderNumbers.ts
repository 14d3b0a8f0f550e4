// Numbers for orders: each process reserves small blocks and lets them lapse soon, so that numbers
// are unique whatever happens and ascend in the large (docs/decisions/0026-order-numbers.md).

import { isRejection } from '../../domain/kernel/rejection.ts'
import {
  type OrderNumberEvent,
  type OrderNumbers,
  orderNumberOf,
  reserveNumbers,
} from '../../domain/order/orderNumbers.ts'
import type { Clock } from '../../ports/envelope.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import type { OrderNumberSource } from '../core/app.ts'
import { systemEnvelope } from '../core/envelope.ts'
import type { Repository } from '../core/repositoryTypes.ts'

/** A block serves orders that arrive within so long after it was asked for. */
const freshMs = 1_000
/** The most numbers that one process holds at a time, and that a crash can lose. */
const blockMax = 256
/** How often a reservation is tried whose answer might be that of an earlier one. */
const triesMax = 3

interface Block {
  next: number
  to: number
  from: number
  askedAtMs: number
}

interface Source {
  repository: Repository<OrderNumbers, OrderNumberEvent>
  clock: Clock
  /** Milliseconds that only ever go forwards. */
  elapsedMs: () => number
  /** Of the stream that the shop's numbers are reserved in. */
  id: string
  block: Block | undefined
  reserving: Promise<void> | undefined
  /** Orders that wait for a number. */
  pending: number
}

/** The numbers of one process. */
export function orderNumberSource(
  parts: Pick<Source, 'repository' | 'clock'> & Partial<Pick<Source, 'elapsedMs' | 'id'>>,
): OrderNumberSource {
  const source: Source = {
    elapsedMs: () => performance.now(),
    id: 'shop',
    ...parts,
    block: undefined,
    reserving: undefined,
    pending: 0,
  }
  return {
    request() {
      const arrivedAtMs = source.elapsedMs()
      // A failure is for those who need a number by then.
      if (!serves(source.block, arrivedAtMs)) reserveOnce(source).catch(() => undefined)
      return () => take(source, arrivedAtMs)
    },
    async skip(count) {
      const { repository, clock, id } = source
      const envelope = systemEnvelope('order-numbers', clock.now())
      await repository.decide(id, envelope, state => reserveNumbers(state, count))
    },
  }
}

/**
 * Whether a block has a number for an order that arrived then. Its age is that at the arrival, not
 * now: so the bound on the order of numbers holds however slow the store is.
 */
function serves(block: Block | undefined, arrivedAtMs: number): block is Block {
  if (block === undefined || block.next > block.to) return false
  return arrivedAtMs < block.askedAtMs + freshMs
}

async function take(source: Source, arrivedAtMs: number): Promise<string> {
  source.pending += 1
  try {
    while (!serves(source.block, arrivedAtMs)) await reserveOnce(source)
  } finally {
    source.pending -= 1
  }
  const serial = source.block.next
  source.block.next += 1
  return orderNumberOf(serial)
}

/** One reservation at a time: orders that arrive meanwhile share its block. */
function reserveOnce(source: Source): Promise<void> {
  source.reserving ??= reserve(source).finally(() => {
    source.reserving = undefined
  })
  return source.reserving
}

async function reserve(source: Source): Promise<void> {
  const askedAtMs = source.elapsedMs()
  const count = sizeOf(source, askedAtMs)
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const range = await reserveRange(source, count)
    if (range === undefined) continue
    source.block = { next: range.from, askedAtMs, ...range }
    return
  }
  throw new Unavailable('no order numbers could be reserved')
}

/**
 * Undefined where the log had the event already, after an answer was lost: this process cannot be
 * sure which of its decisions that was, and does not use the range.
 */
async function reserveRange({ repository, clock, id }: Source, count: number) {
  const envelope = systemEnvelope('order-numbers', clock.now())
  let range: { from: number; to: number } | undefined
  // Decided anew where another process was first: the last decision is the one that was written.
  const decide = (state: OrderNumbers) => {
    const events = reserveNumbers(state, count)
    if (!isRejection(events)) range = events[0]?.data
    return events
  }
  const outcome = await repository.decide(id, envelope, decide, { idempotency: 'none' })
  return isRejection(outcome) || outcome.replayed ? undefined : range
}

/**
 * As many numbers as are likely to be used before they lapse: twice as many as last time where
 * those were used up in their time, else as many as were used. A shop with few orders reserves one
 * number at a time, and leaves no gaps.
 */
function sizeOf({ block, pending }: Source, nowMs: number): number {
  const used = block === undefined ? 0 : block.next - block.from
  const isUsedUp = block !== undefined && block.next > block.to
  const isYoung = block !== undefined && nowMs < block.askedAtMs + freshMs
  const likely = isUsedUp && isYoung ? used * 2 : used
  return Math.min(Math.max(likely, pending, 1), blockMax)
}
