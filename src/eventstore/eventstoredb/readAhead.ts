// What a read of EventStoreDB sends, taken off the wire ahead of whoever handles it, up to a bound.
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { convertToCommandError, type EventStoreDBClient } from '@eventstore/db-client'
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js'
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { createSignal } from '../../kit/signal.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import { type CallArguments, openCall, type Stub } from './calls.ts'
import { type Sent, sentIn } from './messages.ts'

const { StreamsService } = streamsGrpc

export interface Inbox<Item> {
  /** The next item, or undefined when none has arrived yet. */
  next(): Item | undefined
  /** Waits for something to arrive; false when nothing did within `ms` or the signal aborted. */
  arrived(ms: number, signal: AbortSignal): Promise<boolean>
  hasArrived(): boolean
  /** Set once nothing more will arrive: with the reason, unless the server just ended it. */
  end(): { reason?: Error } | undefined
  close(): void
}

/** What has been sent and waits to be taken; from `most` on the server waits, until it is `few`. */
const most = { items: 4_000, bytes: 8 * 1_024 * 1_024 }
const few = { items: most.items / 2, bytes: most.bytes / 2 }

interface PendingRead<Item> {
  item: Item
  bytes: number
}

type Call = ReturnType<typeof openRead>

/** Opens a read. `itemOf` turns what is sent into items as it arrives; undefined for none. */
export function openInbox<Item>(
  client: EventStoreDBClient,
  request: streamsPb.ReadReq,
  itemOf: (sent: Sent) => Item | undefined,
): Inbox<Item> {
  const queue = createQueue<Item>()
  const arrivals = createArrivals()
  let isClosed = false
  let call: Call | undefined
  let ending: { reason?: Error } | undefined

  const end = (reason?: Error) => {
    ending ??= reason === undefined ? {} : { reason: convertToCommandError(reason) ?? reason }
    arrivals.notify()
  }
  const arrived = (message: Buffer) => {
    // Behind what could not be read, nothing may be delivered either.
    const sent = ending === undefined ? sentIn(message) : undefined
    const item = sent && itemOf(sent)
    if (item === undefined) return
    queue.push({ item, bytes: message.length })
    if (queue.holds(most)) call?.pause()
    arrivals.notify()
  }
  openCall(client, (stub, ...args) => openRead(stub, request, args)).then(opened => {
    // Stays for good: an error that comes after the end must not end the process.
    opened.on('error', end)
    opened.on('end', () => end())
    opened.on('close', () => end())
    call = opened
    if (isClosed) return cancel(opened)
    opened.on('data', message => {
      try {
        arrived(message)
      } catch (error) {
        end(error instanceof Error ? error : new Error('an event cannot be read', { cause: error }))
        cancel(opened)
      }
    })
  }, end)

  return {
    next() {
      const item = queue.shift()
      if (call?.isPaused() && !queue.holds(few)) call.resume()
      return item
    },
    arrived: arrivals.wait,
    hasArrived: arrivals.hasNew,
    // What has arrived comes before the end of it.
    end: () => (queue.isEmpty() ? ending : undefined),
    close() {
      isClosed = true
      if (call === undefined) return
      call.removeAllListeners('data')
      if (ending === undefined) cancel(call)
    },
  }
}

/** The stub's own read, whose messages are left as they are. */
function openRead(stub: Stub, request: streamsPb.ReadReq, args: CallArguments) {
  const { path, requestSerialize } = StreamsService.read
  const asSent = (bytes: Buffer) => bytes
  return stub.makeServerStreamRequest(path, requestSerialize, asSent, request, ...args)
}

/**
 * All that a read sends up to its end, with which its call ends by itself. Throws what it ends
 * with, and Unavailable when nothing comes for `ms` or the signal aborts.
 */
export async function allOf<Item>(
  inbox: Inbox<Item>,
  { ms, signal }: { ms: number; signal: AbortSignal },
): Promise<Item[]> {
  const items: Item[] = []
  try {
    for (;;) {
      const item = inbox.next()
      const end = item === undefined ? inbox.end() : undefined
      if (item !== undefined) items.push(item)
      else if (end?.reason !== undefined) throw end.reason
      else if (end !== undefined) return items
      else if (!(await inbox.arrived(ms, signal))) {
        throw new Unavailable('EventStoreDB did not answer in time')
      }
    }
  } finally {
    inbox.close()
  }
}

/** Not in the turn of a message, which the client cannot bear (grpc-node 1464 and 1652). */
function cancel(call: Call): void {
  setImmediate(() => {
    call.cancel()
    // What had arrived by then must flow off, or the client holds on to the call for ever.
    call.resume()
  })
}

function createQueue<Item>() {
  let queued: (PendingRead<Item> | undefined)[] = []
  let first = 0
  let bytes = 0
  return {
    push(added: PendingRead<Item>) {
      queued.push(added)
      bytes += added.bytes
    },
    isEmpty: () => first === queued.length,
    /** Whether it holds as much as this, counted in items or in bytes. */
    holds: (bound: typeof most) => queued.length - first >= bound.items || bytes >= bound.bytes,
    shift(): Item | undefined {
      const taken = queued[first]
      if (taken === undefined) return undefined
      queued[first] = undefined
      first += 1
      bytes -= taken.bytes
      if (first === queued.length) {
        queued = []
        first = 0
      }
      return taken.item
    },
  }
}

/** Arrivals since the last wait. */
function createArrivals() {
  const signal = createSignal()
  let seen = 0
  const hasNew = () => signal.count() !== seen
  return {
    notify: signal.notify,
    hasNew,
    async wait(ms: number, abort: AbortSignal): Promise<boolean> {
      await signal.wait(seen, ms, abort)
      // What else arrives in this turn is taken in the same batch.
      if (hasNew()) await endOfTurn()
      const isNew = hasNew()
      seen = signal.count()
      return isNew
    },
  }
}
