// Single reads of the server: filtered ones of the whole log, and the end of every read.
import type {
  AllStreamResolvedEvent,
  EventStoreDBClient,
  Filter,
  ReadAllOptions,
  StreamingRead,
} from '@eventstore/db-client'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import {
  type Connection,
  isTransientHere,
  pauseMs,
  rest,
  startWaiting,
  unavailable,
} from './eventstoredbClient.ts'

type Stub = { read(request: streamsPb.ReadReq, ...rest: unknown[]): unknown }

/**
 * The client's `readAll` with a filter that is evaluated on the server: the protocol has it, the
 * client offers it for subscriptions only. The request is completed on its way out.
 */
export function readAllFiltered(
  client: EventStoreDBClient,
  options: ReadAllOptions,
  filter: Filter,
): StreamingRead<AllStreamResolvedEvent> {
  const createStream: unknown = Reflect.get(client, 'GRPCStreamCreator')
  if (typeof createStream !== 'function') throw new Error('this client cannot filter reads')
  const filtering: EventStoreDBClient = Object.create(client, {
    GRPCStreamCreator: {
      value: (type: unknown, name: string, create: (stub: Stub) => unknown) =>
        Reflect.apply(createStream, client, [
          type,
          name,
          (stub: Stub) =>
            create({
              read: (request, ...rest) => stub.read(withFilter(request, filter), ...rest),
            }),
        ]),
    },
  })
  return filtering.readAll(options)
}

function withFilter(request: streamsPb.ReadReq, filter: Filter): streamsPb.ReadReq {
  const { FilterOptions } = streamsPb.ReadReq.Options
  const expression = new FilterOptions.Expression()
  if ('prefixes' in filter) expression.setPrefixList(filter.prefixes)
  else expression.setRegex(filter.regex)
  const asked = new FilterOptions()
  if (filter.filterOn === 'streamName') asked.setStreamIdentifier(expression)
  else asked.setEventType(expression)
  if (filter.maxSearchWindow === undefined) asked.setCount(new sharedPb.Empty())
  else asked.setMax(filter.maxSearchWindow)
  asked.setCheckpointintervalmultiplier(1)
  request.getOptions()?.setFilter(asked)
  return request
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
  const wait = startWaiting(connection)
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
      if (!isTransientHere(error)) throw error
      if (closing.aborted || wait.leftMs() < 0) throw unavailable(error)
      wait.tell()
      await rest(pauseMs(failures++), closing)
    }
  }
}
