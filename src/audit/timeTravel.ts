// What something was like at a time or a revision: its own aggregate, folded up to there.

import { isMap } from 'immutable'
import { cart } from '../domain/cart/cart.ts'
import { product } from '../domain/catalogue/product.ts'
import { customer } from '../domain/customer/customer.ts'
import type { Aggregate, DomainEvent } from '../domain/kernel/aggregate.ts'
import type { RejectionCode } from '../domain/kernel/rejection.ts'
import { order } from '../domain/order/order.ts'
import { stock } from '../domain/stock/stock.ts'
import { isTransient } from '../kit/transient.ts'
import type { Codec, Stored } from '../ports/codec.ts'
import { type EventStore, type RecordedEvent, readStream } from '../ports/eventStore.ts'

/** The last revision that counts, or the last moment. */
export type Cutoff = { revision: number } | { at: Date }

export interface PastState {
  stream: string
  /** The last event that is in it. */
  revision: number
  position: string
  at: string
  state: unknown
  /** The revision at which reading ended because the event there cannot be understood. */
  unreadable: number | null
  /** False where the stream has events that happened before others which it recorded earlier. */
  inTimeOrder: boolean
}

interface TimeTravelDeps {
  eventStore: Pick<EventStore, 'read'>
  codec: Pick<Codec, 'decodeFor'>
}

export interface Kind {
  notFound: RejectionCode
  stream(id: string): string
  /** Undefined when there is nothing yet, or nothing at all. */
  asOf(deps: TimeTravelDeps, id: string, cutoff: Cutoff): Promise<PastState | undefined>
}

/** The aggregates with time travel. */
export const kinds = {
  orders: kindOf(order, 'order/not-found'),
  carts: kindOf(cart, 'cart/not-found'),
  products: kindOf(product, 'product/not-found'),
  stock: kindOf(stock, 'product/not-found'),
  customers: kindOf(customer, 'customer/not-found'),
} as const

function kindOf<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  notFound: RejectionCode,
): Kind {
  const stream = (id: string) => `${aggregate.category}-${id}`
  return {
    notFound,
    stream,
    asOf: (deps, id, cutoff) => foldTo(aggregate, deps, { stream: stream(id), cutoff }),
  }
}

/** Whether an event counts: by its place in the stream, or by when it happened. */
export function counts(cutoff: Cutoff, event: { revision: number; at: string }): boolean {
  return 'revision' in cutoff ? event.revision <= cutoff.revision : new Date(event.at) <= cutoff.at
}

/**
 * Folds every event that counts. Brought-in history can be recorded after what happened later, so
 * a time is looked for in the whole stream.
 */
async function foldTo<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  { eventStore, codec }: TimeTravelDeps,
  { stream, cutoff }: { stream: string; cutoff: Cutoff },
): Promise<PastState | undefined> {
  let state = aggregate.initial
  let last: Stored<Event> | undefined
  let unreadable: number | null = null
  let newest = 0
  let inTimeOrder = true
  const range = 'revision' in cutoff ? { to: cutoff.revision } : {}
  for await (const recorded of readStream(eventStore, stream, range)) {
    const event = await decoded<Event>(codec, aggregate, recorded)
    if (event === undefined) {
      unreadable = recorded.revision
      break
    }
    const happened = new Date(event.at).getTime()
    inTimeOrder = inTimeOrder && happened >= newest
    newest = Math.max(newest, happened)
    if (!counts(cutoff, event)) continue
    state = aggregate.evolve(state, event)
    last = event
  }
  if (last === undefined) return undefined
  const { revision, position, at } = last
  const place = { stream, revision, position: String(position), at }
  return { ...place, state: plain(state), unreadable, inTimeOrder }
}

async function decoded<Event extends DomainEvent>(
  codec: TimeTravelDeps['codec'],
  aggregate: { events: Record<string, unknown> },
  recorded: RecordedEvent,
): Promise<Stored<Event> | undefined> {
  try {
    return await codec.decodeFor<Event>(aggregate, recorded)
  } catch (error) {
    if (isTransient(error)) throw error
    return undefined
  }
}

/** A state as JSON has it: maps become objects, sets become lists. */
export function plain(value: unknown): unknown {
  if (value instanceof Map || isMap(value)) return plain(Object.fromEntries(value))
  if (value instanceof Set) return plain([...value])
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}
