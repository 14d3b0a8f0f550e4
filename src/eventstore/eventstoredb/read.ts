// Single reads of the server: how what they send is taken, and the end of every one of them.
import type { StreamingRead } from '@eventstore/db-client'
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { Unavailable } from '../../ports/eventStore.ts'
import {
  asLasting,
  type Connection,
  isTransientHere,
  pauseMs,
  rest,
  startRetries,
  unavailable,
} from './client.ts'
import type { Sent } from './messages.ts'
import { type Inbox, openInbox } from './readAhead.ts'

/** So much of what has arrived is handed on together: one by one each would be waited for. */
const togetherMax = 500
/** A server that searches what others have written may say nothing for long. */
const lookMs = 60_000

/** What a read sends, as it arrives; its call ends however the iteration ends. */
export async function* arriving<Item>(
  { client, closing }: Pick<Connection, 'client' | 'closing'>,
  request: streamsPb.ReadReq,
  itemOf: (sent: Sent) => Item | undefined,
): AsyncGenerator<Item[]> {
  const inbox = openInbox(client, request, itemOf)
  try {
    for (;;) {
      const items = takeSome(inbox)
      const end = items.length === 0 ? inbox.end() : undefined
      if (items.length > 0) yield items
      else if (end?.reason !== undefined) throw end.reason
      else if (end !== undefined) return
      else if (!(await inbox.arrived(lookMs, closing)) && closing.aborted) {
        throw new Unavailable('the event store is closed')
      }
    }
  } finally {
    inbox.close()
  }
}

function takeSome<Item>(inbox: Inbox<Item>): Item[] {
  const items: Item[] = []
  while (items.length < togetherMax) {
    const item = inbox.next()
    if (item === undefined) break
    items.push(item)
  }
  return items
}

/** Iterates a read and ends its call on the server however the iteration ends. */
export async function* cancelled<E>(read: StreamingRead<E>): AsyncGenerator<E> {
  // The client may emit an error after the iteration is over; unheard it would end the process.
  read.on('error', () => undefined)
  const events: AsyncIterable<E> = read.iterator({ destroyOnReturn: false })
  try {
    yield* events
  } finally {
    read.cancel().catch(() => undefined)
    // What had arrived by then must flow off, or the client holds on to the call for ever.
    read.resume()
  }
}

/** A read that goes on behind what it gave last when the connection was lost. */
export async function* resuming<E>(
  connection: Connection,
  open: (last: E | undefined) => AsyncIterable<E>,
): AsyncGenerator<E> {
  const { closing } = connection
  const wait = startRetries(connection)
  let last: E | undefined
  let failures = 0
  for (;;) {
    try {
      for await (const event of open(last)) {
        last = event
        yield event
        failures = 0
        wait.again()
      }
      return
    } catch (error) {
      if (!isTransientHere(error)) throw asLasting(error)
      if (closing.aborted || wait.leftMs() < 0) throw unavailable(error)
      wait.tell()
      await rest(pauseMs(failures++), closing)
    }
  }
}
